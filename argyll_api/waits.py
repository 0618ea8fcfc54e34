# SPDX-License-Identifier: Apache-2.0
"""Requests that wait until a flow has ended. No thread is held and nothing is polled: the hub's events wake them.

Lives on the event loop. Called by `asgi.py`; what a request asks for is read by `wait_request.py`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from argyll_api.subscriptions import Subscription, Switchboard
from argyll_engine.codec.frames import Subscribe
from argyll_engine.errors import ArgyllError
from argyll_engine.model.ids import FlowID

WAIT_KEY: Final = "argyll.wait"
"""Where the environment of a WSGI request holds its `Wait`."""

RETRY_SECONDS: Final = 0.5
"""Before a watch that broke off begins anew; a store that is away breaks it off at once."""

_ENDS: Final = frozenset({"flow_completed", "flow_failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Whose end a request waits for, how long at most, and the header that says so in the answer, if any."""

    flow_id: FlowID
    seconds: float
    headers: tuple[tuple[bytes, bytes], ...] = ()


def wait_of(environ: Mapping[str, Any]) -> Wait | None:
    """What the route of a request has left for the server to wait for."""
    wait: Wait | None = environ.get(WAIT_KEY)
    return wait


class Waits:
    """All requests of this process that wait for the end of a flow.

    Args:
        switchboard: Watches flows and reads their states.
    """

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._watches: set[asyncio.Queue[bool]] = set()
        self._is_stopping = False

    def __len__(self) -> int:
        return len(self._watches)

    def stop(self) -> None:
        """End all waiting, and let none begin any more; the server is about to go."""
        self._is_stopping = True
        for signals in self._watches:
            signals.put_nowait(False)

    async def until_end(self, flow_id: FlowID) -> bool:
        """True once a flow is completed or failed; False when the server stops before. Cancel it to give up."""
        while not self._is_stopping:
            if await self._watch(flow_id):
                return True
            if not self._is_stopping:
                await asyncio.sleep(RETRY_SECONDS)
        return False

    async def _watch(self, flow_id: FlowID) -> bool:
        """Whether the flow has ended; False when the watch broke off before it was known to.

        The watch begins before the state is read for the first time, so no end falls between. Every sign of
        the switchboard, that of the beginning included, only asks for another look: the state alone decides.
        """
        signals: asyncio.Queue[bool] = asyncio.Queue()
        sub = Subscription(
            wanted=Subscribe(sub_id="", paths=(("flow", flow_id),), event_types=_ENDS),
            send=lambda _: signals.put_nowait(True),
            drop=lambda: signals.put_nowait(False),
        )
        self._watches.add(signals)
        self._switchboard.open(sub, lambda: None)
        try:
            while await signals.get():
                if await self._switchboard.has_ended(flow_id):
                    return True
            return False
        except ArgyllError:
            return False  # the next watch looks again
        finally:
            self._watches.discard(signals)
            self._switchboard.close(sub)
