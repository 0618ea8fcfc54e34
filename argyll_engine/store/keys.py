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


class _ArchiveKeys:
    """Those of archiving, and what all keys share."""

    __slots__ = ("_root",)

    def __init__(self, prefix: str) -> None:
        self._root = f"{{{prefix}}}:"

    def archived(self, status: FlowStatus) -> str:
        """Root flows of one indexed status that are archived."""
        return f"{self._root}idx:archived:{status}"

    def family(self, stream_id: StreamID) -> str:
        """Children of a root flow, at any depth."""
        return f"{self._stream(stream_id)}:family"

    def archiving(self) -> str:
        """Until when each flow that is being archived is leased."""
        return f"{self._root}archiving"

    def archivers(self) -> str:
        """Who holds those leases."""
        return f"{self._root}archiving:owners"

    def audit(self) -> str:
        """The audit log."""
        return f"{self._root}audit"

    def layouts(self) -> str:
        """Among which shards flows were placed so far."""
        return f"{self._root}shards"

    def _stream(self, stream_id: StreamID) -> str:
        return self._root + _SEPARATOR.join(map(escape, stream_id))


class Keys(_ArchiveKeys):
    """Builds the keys of one store from its prefix."""

    __slots__ = ()

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

    def schema(self) -> str:
        """Which form the keys of the store have."""
        return f"{self._root}schema"

    def feed(self) -> str:
        """Notes of what was committed, in commit order."""
        return f"{self._root}feed"

    def due(self) -> str:
        """When the recovery sweep looks at a flow."""
        return f"{self._root}due"

    def canaries(self) -> str:
        """Flows that probes run, since when."""
        return f"{self._root}canaries"

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
