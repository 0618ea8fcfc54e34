# SPDX-License-Identifier: Apache-2.0
"""Messages that were given up: list them, have them delivered again, drop them. Used by operators' tools."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

from argyll_engine.transport import scripts
from argyll_engine.transport.wire import DEFAULT_PREFIX, Keys, decode

SCAN_COUNT: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One of them. `deliveries` failed before it was given up; `reason` says why it was."""

    queue: str
    letter_id: str
    task: str
    task_id: str
    arguments: str
    deliveries: int
    reason: str
    since: datetime


class DeadLetters:
    """The dead letters of one deployment.

    Args:
        client: A client of the broker's Redis, of bytes.
        prefix: `global_keyprefix` of its transport options.
    """

    def __init__(self, client: Redis, prefix: str = DEFAULT_PREFIX) -> None:
        self._client = client
        self._keys = Keys(prefix)

    def queues(self) -> dict[str, int]:
        """Queues that have some, by name, and how many. Walks over all keys of the Redis."""
        start = self._keys.dead("")
        pattern = "".join(f"\\{character}" if character in "*?[]^\\" else character for character in start) + "*"
        found = sorted(key.decode() for key in self._client.scan_iter(pattern, count=SCAN_COUNT, _type="stream"))
        return {key.removeprefix(start): length for key in found if (length := int(self._client.xlen(key)))}

    def list(self, queue: str, limit: int = 100) -> tuple[DeadLetter, ...]:
        """The oldest of a queue."""
        rows: Any = self._client.xrange(self._keys.dead(queue), count=limit)
        return tuple(_letter(queue, *row) for row in rows)

    def retry(self, queue: str, letter_ids: Sequence[str] | None = None) -> int:
        """Put some back into their queue, all for None, as if they had never failed; returns how many."""
        return self._each("revive", queue, letter_ids)

    def drop(self, queue: str, letter_ids: Sequence[str] | None = None) -> int:
        """Delete some, all for None; returns how many."""
        return self._each("drop", queue, letter_ids)

    def _each(self, script: str, queue: str, letter_ids: Sequence[str] | None) -> int:
        keys = [self._keys.dead(queue), self._keys.returned(queue)]
        if letter_ids is not None:
            return int(scripts.run(self._client, scripts.Call("dead_letters", keys, [script, *letter_ids])))
        count = 0
        while True:
            rows: Any = self._client.xrange(keys[0], count=SCAN_COUNT)
            if not rows:
                return count
            ids = [entry_id.decode() for entry_id, _ in rows]
            count += int(scripts.run(self._client, scripts.Call("dead_letters", keys, [script, *ids])))


def _letter(queue: str, entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    headers: dict[str, Any]
    try:
        headers = decode(fields[b"m"]).get("headers") or {}
    except ValueError:
        headers = {}
    milliseconds = int(entry_id.decode().partition("-")[0])
    return DeadLetter(
        queue=queue,
        letter_id=entry_id.decode(),
        task=str(headers.get("task") or ""),
        task_id=str(headers.get("id") or ""),
        arguments=str(headers.get("argsrepr") or ""),
        deliveries=int(fields[b"n"]),
        reason=fields.get(b"r", b"").decode(errors="replace"),
        since=datetime.fromtimestamp(milliseconds / 1000, UTC),
    )
