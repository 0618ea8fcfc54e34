# SPDX-License-Identifier: Apache-2.0
"""How answers reach the socket."""

import asyncio
from typing import Any

from argyll_api.http_protocol import MOST_HELD_BYTES, OneWrite


class Recorder:
    """A transport that notes what is written to it."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, part: bytes) -> None:
        """See asyncio.Transport."""
        self.writes.append(part)

    def close(self) -> None:
        """See asyncio.Transport."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """See asyncio.Transport."""
        return self.is_closed


async def _written(parts: list[bytes], close: bool = False) -> list[bytes]:
    transport: Any = Recorder()
    held = OneWrite(transport, asyncio.get_running_loop())
    for part in parts:
        held.write(part)
    if close:
        held.close()
        assert held.is_closing()
    await asyncio.sleep(0)
    return list(transport.writes)


def test_head_and_body_are_one_write() -> None:
    """What is written without a pause goes together."""
    assert [b"head body"] == asyncio.run(_written([b"head", b" ", b"body"]))


def test_nothing_is_written_twice_or_after_the_end() -> None:
    """Closing sends what is held first."""
    assert [b"head body"] == asyncio.run(_written([b"head", b" body"], close=True))


def test_much_is_not_held() -> None:
    """A large body goes at once, and what follows after it."""
    large = b"x" * MOST_HELD_BYTES
    assert [b"head" + large, b"tail"] == asyncio.run(_written([b"head", large, b"tail"]))
