# SPDX-License-Identifier: Apache-2.0
"""Who has subscribed to what in this process, and the way of events from the hub to the sockets.

All but the loading of states happens on the event loop. Called by `socket.py`; frames are `codec`'s.
Source: the contract, http §4.4.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from msgspec import Struct

from argyll_engine import log
from argyll_engine.codec import catalog_to_json, cluster_to_json, flow_state_to_json
from argyll_engine.codec.frames import EventFrame, Subscribe, event_frame, quoted, state_item, subscribed_frame
from argyll_engine.errors import (
    ArchiveUnavailableError,
    DamagedArchiveError,
    FlowNotFoundError,
    UndecodableEventError,
)
from argyll_engine.feed_port import FeedPosition
from argyll_engine.hub import Attachment, Delivery, Hub, Run, is_named, paths_above
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StreamID
from argyll_engine.query import Queries

LOADING_THREADS: Final = 4
TURN_SECONDS: Final = 0.01
"""How long deliveries may hold up everything else on the event loop."""
LOOK_SECONDS: Final = 1.0
"""After this long, who waits for a delivery looks whether there still is an event loop."""

_log = log.get(__name__)


class Framed(Struct, frozen=True):
    """A run of events with their frames; None for those that nobody wants."""

    run: Run
    frames: tuple[EventFrame | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What a subscription starts from."""

    attachment: Attachment
    items: tuple[bytes, ...]
    next_sequences: Mapping[StreamID, int]


@dataclass(slots=True, eq=False, kw_only=True)
class Subscription:
    """One filter of one connection.

    Args:
        wanted: What the client asked for.
        send: Takes frames to send, in order.
        drop: Ends the connection, when the subscription can no longer be kept without a gap.
    """

    wanted: Subscribe
    send: Callable[[Sequence[bytes]], None]
    drop: Callable[[], None]
    is_closed: bool = False
    sub_id: bytes = field(init=False)
    _waiting: list[Framed] | None = field(init=False, default_factory=list)
    _after: Mapping[int, FeedPosition] = field(init=False, default_factory=dict)
    _expected: dict[StreamID, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.sub_id = quoted(self.wanted.sub_id)

    @property
    def paths(self) -> tuple[StreamID, ...]:
        """The paths to watch; without any, the one above all."""
        return self.wanted.paths or ((),)

    def begin(self, opened: _Opened) -> None:
        """Say that it has begun, and send what came meanwhile."""
        self._after = opened.attachment.after
        self._expected = {**opened.attachment.next_sequences, **opened.next_sequences}
        waiting, self._waiting = self._waiting or [], None
        self.send([subscribed_frame(self.sub_id, opened.items)])
        for framed in waiting:
            self.take(framed)

    def take(self, framed: Framed) -> None:
        """Send what is new in a run; keep it until the subscription has begun."""
        if self._waiting is not None:
            self._waiting.append(framed)
            return
        skipped, types = self._skipped(framed.run), self.wanted.event_types
        fresh = [frame for frame in framed.frames[skipped:] if frame is not None]
        frames = [frame.addressed(self.sub_id) for frame in fresh if not types or frame.type in types]
        if frames:
            self.send(frames)

    def _skipped(self, run: Run) -> int:
        """How many events at the start of a run came before this subscription, or were sent already."""
        expected = self._expected.get(run.stream_id)
        if expected is None:
            # Feeds have no gaps here: for those, subscriptions to whatever there is are dropped.
            is_old = run.position <= self._after.get(run.feed, run.position)
            return len(run.events) if is_old else 0
        if run.after > expected:
            self.drop()
            return len(run.events)
        self._expected[run.stream_id] = max(expected, run.first_sequence + len(run.events))
        return max(expected - run.first_sequence, 0)


class Switchboard:
    """Connects the sockets of this process with the hub."""

    def __init__(self, hub: Hub, queries: Queries) -> None:
        self.connections = 0
        self._hub, self._queries = hub, queries
        self._pool = ThreadPoolExecutor(LOADING_THREADS, "subscribe")
        self._below: dict[StreamID, dict[Subscription, None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def count(self) -> int:
        """How many sockets are open."""
        return self.connections

    def start(self) -> None:
        """Take deliveries from now on, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._hub.listen(self._hand_over)

    def stop(self) -> None:
        """End the threads; on the event loop."""
        self._hub.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # ---- subscriptions ---------------------------------------------------------------------------

    def open(self, sub: Subscription, begun: Callable[[], None]) -> None:
        """Let a subscription begin; `begun` is called when it has, and `sub.drop` when it cannot."""
        for path in sub.paths:
            self._below.setdefault(path, {})[sub] = None
        loading = asyncio.get_running_loop().run_in_executor(self._pool, self._load, sub)
        loading.add_done_callback(lambda done: self._finish(sub, done, begun))

    def close(self, sub: Subscription) -> None:
        """End a subscription; one that has not begun yet ends when it would."""
        was_waiting, sub.is_closed = sub._waiting is not None, True
        for path in sub.paths:
            subs = self._below.get(path, {})
            subs.pop(sub, None)
            if not subs:
                self._below.pop(path, None)
        if not was_waiting:
            self._hub.detach(sub.paths, sub.wanted.event_types)

    async def has_ended(self, flow_id: FlowID) -> bool:
        """Whether a flow is completed or failed, even if some of its work still goes on.

        Raises:
            ArgyllError: Its state cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._has_ended, flow_id)

    def _has_ended(self, flow_id: FlowID) -> bool:
        try:
            return self._queries.flow(flow_id).status is not FlowStatus.ACTIVE
        except (ArchiveUnavailableError, DamagedArchiveError):
            return True  # only what has ended is archived

    def _load(self, sub: Subscription) -> _Opened:
        """Attaches first and reads states after, so that no event falls between. In a thread."""
        attachment = self._hub.attach(sub.paths, sub.wanted.event_types)
        try:
            items, sequences = self._states(sub.wanted.paths) if sub.wanted.with_state else ((), {})
        except BaseException:
            self._hub.detach(sub.paths, sub.wanted.event_types)
            raise
        return _Opened(attachment=attachment, items=items, next_sequences=sequences)

    def _states(self, paths: Sequence[StreamID]) -> tuple[tuple[bytes, ...], dict[StreamID, int]]:
        items, sequences = [], {}
        for path in paths:
            if not _is_aggregate(path):
                items.append(state_item(path, None, 0))
                continue
            found = self._state(path)
            if found is not None:
                state, sequences[path] = found
                items.append(state_item(path, state, sequences[path]))
        return tuple(items), sequences

    def _state(self, path: StreamID) -> tuple[dict[str, Any], int] | None:
        """The state of a stream as GET gives it, and the sequence of its next event; None where there is none.

        Nor is there one of a flow whose archive is away: it would cost the connection all its other subscriptions.
        """
        if path[0] == "flow":
            try:
                flow = self._queries.served_flow(FlowID(path[1]))
            except FlowNotFoundError:
                return None
            except (ArchiveUnavailableError, DamagedArchiveError) as exc:
                _log.warning("archived_flow_not_sent", flow_id=path[1], reason=str(exc))
                return None
            return flow_state_to_json(flow.state, is_archived=flow.is_archived), flow.next_sequence
        state, sequence = self._queries.aggregate(path)
        return catalog_to_json(state) if isinstance(state, CatalogState) else cluster_to_json(state), sequence

    def _finish(self, sub: Subscription, done: asyncio.Future[_Opened], begun: Callable[[], None]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            _log.warning("subscription_failed", reason=str(error), error=type(error).__name__)
            sub.drop()
        elif sub.is_closed:
            self._hub.detach(sub.paths, sub.wanted.event_types)
        else:
            sub.begin(done.result())
            begun()

    # ---- deliveries ------------------------------------------------------------------------------

    def _hand_over(self, delivery: Delivery) -> None:
        """Brings a delivery to the event loop and waits until it is through. In a thread of the hub."""
        loop, through = self._loop, Future[None]()
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._go_on, self._delivered(delivery), through)
            _wait(through, loop)

    def _go_on(self, turns: Iterator[None], through: Future[None]) -> None:
        """One turn of a delivery; the next one comes after whatever else waits for the event loop."""
        try:
            next(turns)
        except StopIteration:
            through.set_result(None)
        except Exception as exc:  # noqa: BLE001 - for the thread that waits
            through.set_exception(exc)
        else:
            asyncio.get_running_loop().call_soon(self._go_on, turns, through)

    def _delivered(self, delivery: Delivery) -> Iterator[None]:
        """Hands a delivery to its subscribers, in turns."""
        if not delivery.is_whole:
            _drop(sub for path, subs in self._below.items() if not is_named(path) for sub in subs)
        for stream_id in delivery.lost:
            _drop(self._subscribers(stream_id))
        for stream_id in delivery.erased:
            _drop(self._below.get(stream_id, {}))
        turn_ends = monotonic() + TURN_SECONDS
        for run in delivery.runs:
            subs = self._subscribers(run.stream_id)
            framed = self._framed(run, subs)
            if framed is None:
                continue
            for sub in subs:
                sub.take(framed)
                if monotonic() > turn_ends:
                    yield
                    turn_ends = monotonic() + TURN_SECONDS

    def _framed(self, run: Run, subs: Sequence[Subscription]) -> Framed | None:
        """The run with the frames that some of these want; None without any of them, or if an event cannot be read."""
        if not subs:
            return None
        stream_id, first = run.stream_id, run.first_sequence
        types = frozenset[str]().union(*(sub.wanted.event_types for sub in subs))
        if not all(sub.wanted.event_types for sub in subs):
            types = frozenset()  # somebody wants all
        try:
            frames = tuple(event_frame(stream_id, first + i, raw, types) for i, raw in enumerate(run.events))
        except UndecodableEventError as exc:
            _log.error("event_not_sent", reason=str(exc))
            _drop(subs)
            return None
        return Framed(run, frames)

    def _subscribers(self, stream_id: StreamID) -> tuple[Subscription, ...]:
        """Each subscription that covers a stream, once."""
        found: dict[Subscription, None] = {}
        for path in paths_above(stream_id):
            found |= self._below.get(path, {})
        return tuple(found)


def _wait(through: Future[None], loop: asyncio.AbstractEventLoop) -> None:
    """Until a delivery is through, or the loop has ended that it goes on. Raises what the delivery has raised."""
    while not loop.is_closed():
        try:
            error = through.exception(LOOK_SECONDS)
        except TimeoutError:
            continue
        if error is not None:
            raise error
        return


def _drop(subs: Iterable[Subscription]) -> None:
    for sub in tuple(subs):
        sub.drop()


def _is_aggregate(path: StreamID) -> bool:
    return path in (("catalog",), ("cluster",)) or (len(path) == 2 and path[0] == "flow")
