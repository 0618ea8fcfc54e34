# SPDX-License-Identifier: Apache-2.0
"""Every Redis key of a store; `docs/redis-keys.md` says what each holds. No key is spelled elsewhere.

The prefix is the hash tag of all of them, so whatever one commit touches shares a slot: a shard is one Redis.
Queue keys belong to the broker; a `QueueEntry` carries its own.
"""

from typing import Final

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import StreamID

_SEPARATOR: Final = ":"


def escape(part: str) -> str:
    """The part without a bare separator, so that no two paths make the same key."""
    if "%" in part or _SEPARATOR in part:
        return part.replace("%", "%25").replace(_SEPARATOR, "%3A")
    return part


class Keys:
    """Builds the keys of one store from its prefix."""

    __slots__ = ("_root",)

    def __init__(self, prefix: str) -> None:
        self._root = f"{{{prefix}}}:"

    def events(self, stream_id: StreamID) -> str:
        """Log of a stream."""
        return f"{self._stream(stream_id)}:events"

    def snapshot(self, stream_id: StreamID) -> str:
        """Newest projection of a stream, and how far its log was trimmed."""
        return f"{self._stream(stream_id)}:snapshot"

    def claims(self, stream_id: StreamID) -> str:
        """Work items of a flow that somebody has taken."""
        return f"{self._stream(stream_id)}:claims"

    def statuses(self) -> str:
        """Indexed status of every flow, children too."""
        return f"{self._root}idx:status"

    def status(self, status: FlowStatus) -> str:
        """Root flows of one indexed status."""
        return f"{self._root}idx:status:{status}"

    def label(self, name: str, value: str) -> str:
        """Root flows that carry one label."""
        return f"{self._root}idx:label:{escape(name)}:{escape(value)}"

    def feed(self) -> str:
        """Notes of what was committed, in commit order."""
        return f"{self._root}feed"

    def due(self) -> str:
        """When the recovery sweep looks at a flow."""
        return f"{self._root}due"

    def workers(self) -> str:
        """Until when each worker is taken to be alive."""
        return f"{self._root}workers"

    def held_steps(self) -> str:
        """Steps for whose health flows wait."""
        return f"{self._root}held"

    def held(self, step_id: str) -> str:
        """Flows that wait for the health of one step."""
        return f"{self._root}held:{escape(step_id)}"

    def lease(self, name: str) -> str:
        """Owner of a named lease."""
        return f"{self._root}lease:{escape(name)}"

    def memo(self) -> str:
        """Results of memoizable steps."""
        return f"{self._root}memo"

    def memo_order(self) -> str:
        """The order in which those results were last used."""
        return f"{self._root}memo:order"

    def _stream(self, stream_id: StreamID) -> str:
        return self._root + _SEPARATOR.join(map(escape, stream_id))
