# SPDX-License-Identifier: Apache-2.0
"""Committed events of every process, in commit order, for whoever watches in this one.

One thread a feed reads while somebody watches, and none before. A feed says what was appended; the events come
from the logs, but for those that the feed brings, so what a feed has lost is read there again. Called by the WebSocket;
drives nothing.

Long because watches of one stream count events and watches of many know positions, and neither may see a gap.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from argyll_engine import log
from argyll_engine.errors import ArgyllError
from argyll_engine.feed_port import ERASED_SEQUENCE, Feed, FeedPosition, LogRange, Note, Reading
from argyll_engine.model.ids import StreamID, is_canary

PATIENCE_MS: Final = 1_000
RETRY_SECONDS: Final = 0.5

_log = log.get(__name__)


class Run(Struct, frozen=True, kw_only=True):
    """Consecutive events of one stream, as stored. Positions of one feed are in order; `feed` is its number.

    Those from `after` to before `first_sequence` were left out, for nobody wanted them.
    """

    feed: int
    position: FeedPosition
    stream_id: StreamID
    after: int
    first_sequence: int
    events: tuple[bytes, ...]


class Delivery(Struct, frozen=True, kw_only=True):
    """What watchers of a feed get next, in order.

    Args:
        runs: Events, each of them once.
        lost: Streams whose logs no longer hold what comes next: whoever watches one has to begin anew.
        erased: Named streams that are gone: whoever watches one by its name has to begin anew.
        is_whole: False when streams that nobody named may have had events that are not here.
    """

    runs: tuple[Run, ...]
    lost: frozenset[StreamID] = frozenset()
    erased: frozenset[StreamID] = frozenset()
    is_whole: bool = True


Listener: TypeAlias = Callable[[Delivery], None]

ANY: Final = frozenset[str]()
"""Events of all types."""


class Attachment(Struct, frozen=True, kw_only=True):
    """Where a watch begins.

    Args:
        after: Newest position that the watch does not cover, by the number of the feed.
        next_sequences: For each named stream the sequence of its first event that is covered.
    """

    after: Mapping[int, FeedPosition]
    next_sequences: Mapping[StreamID, int]


def _whatever(_feed: int, _stream_id: StreamID) -> bool:
    """For feeds of which each has all streams of its kinds."""
    return True


class Hub:
    """Lets parts of this process watch the streams of all feeds.

    Args:
        feeds: Each with the kinds of streams (`catalog`, `cluster`, `flow`) that it has.
        patience_ms: How long a reader waits for news before it looks around.
        may_have: Whether the feed of a number may have a stream, where several have those of one kind. Asked again it
            must not need a store.
    """

    def __init__(
        self,
        feeds: Sequence[tuple[Feed, frozenset[str]]],
        *,
        patience_ms: int = PATIENCE_MS,
        may_have: Callable[[int, StreamID], bool] = _whatever,
    ) -> None:
        self._readers = [(_Reader(number, feed, patience_ms), kinds) for number, (feed, kinds) in enumerate(feeds)]
        self._may_have = may_have

    def listen(self, listener: Listener) -> None:
        """Hand every delivery to `listener`, from threads of the hub; it may keep them waiting. Call it once."""
        for reader, _ in self._readers:
            reader.listener = listener

    def attach(self, paths: Sequence[StreamID], event_types: frozenset[str] = ANY) -> Attachment:
        """Watch all streams below these paths from now on; `()` is the path above all.

        Events of other types may be left out, or come all the same. It asks the stores, so call it where waiting is
        allowed. End it with `detach` and the same arguments.

        Raises:
            StoreUnavailableError: Nothing is watched then.
        """
        after: dict[int, FeedPosition] = {}
        named: dict[StreamID, int] = {}
        begun: list[tuple[_Reader, list[StreamID]]] = []
        try:
            for reader, own in self._shares(paths):
                after[reader.number], sequences = reader.attach(own, event_types)
                begun.append((reader, own))
                # where several feeds may have a stream, it is in the one that knows events of it
                named |= {stream_id: max(end, named.get(stream_id, 0)) for stream_id, end in sequences.items()}
        except BaseException:
            for reader, own in begun:
                reader.detach(own, event_types)
            raise
        return Attachment(after=MappingProxyType(after), next_sequences=MappingProxyType(named))

    def detach(self, paths: Sequence[StreamID], event_types: frozenset[str] = ANY) -> None:
        """End a watch. Never waits for a store."""
        for reader, own in self._shares(paths):
            reader.detach(own, event_types)

    def stop(self) -> None:
        """End all readers, each when it next looks around."""
        for reader, _ in self._readers:
            reader.stop()

    def _shares(self, paths: Sequence[StreamID]) -> Iterator[tuple["_Reader", list[StreamID]]]:
        """Each reader that has to do with the paths, with its part of them."""
        for reader, kinds in self._readers:
            own = [path for path in dict.fromkeys(paths) if not path or path[0] in kinds]
            own = [path for path in own if not is_named(path) or self._may_have(reader.number, path)]
            if own:
                yield reader, own


def is_named(path: StreamID) -> bool:
    """Whether a path is that of one stream, and not one above many."""
    return len(path) == (2 if path[:1] == ("flow",) else 1)


def paths_above(stream_id: StreamID) -> Iterator[StreamID]:
    """Every path that covers a stream, its own included."""
    return (stream_id[:length] for length in range(len(stream_id) + 1))


def _is_enough(note: Note, wanted: Sequence[frozenset[str]]) -> bool:
    """Whether a note brings all that anybody wants of its events."""
    return note.last_type in note.event_types and all(
        types and types & note.event_types <= {note.last_type} for types in wanted
    )


def _is_erasure(note: Note) -> bool:
    return note.first_sequence >= ERASED_SEQUENCE


def _ignore(_: Delivery) -> None:
    """Stands in until somebody listens."""


@dataclass(slots=True)
class _Watched:
    """What is watched, guarded by the reader's lock.

    `wanted` counts who wants which types of events below a path. `reached` holds, for each named stream, the sequence
    after the last event that was handed over, left out, or there when the watch began; `left_out` where those begin
    that were left out since events of it were handed over last.
    """

    wanted: dict[StreamID, Counter[frozenset[str]]] = field(default_factory=dict)
    reached: dict[StreamID, int] = field(default_factory=dict)
    left_out: dict[StreamID, int] = field(default_factory=dict)


class _Reader:
    """Reads one feed in a thread of its own while anything of it is watched."""

    def __init__(self, number: int, feed: Feed, patience_ms: int) -> None:
        self.number = number
        self.listener: Listener = _ignore
        self._feed, self._patience_ms = feed, patience_ms
        self._opening = threading.Lock()  # one attach at a time; may be held while a store answers
        self._turn = threading.Condition()  # guards what follows; never held while a store answers
        self._watched = _Watched()
        self._position: FeedPosition = (0, 0)
        self._is_reading = self._is_stopping = False
        self._thread: threading.Thread | None = None

    # ---- watching --------------------------------------------------------------------------------

    def attach(
        self, paths: Sequence[StreamID], event_types: frozenset[str]
    ) -> tuple[FeedPosition, dict[StreamID, int]]:
        """Watch these paths; the newest position before, and what their streams reach to."""
        with self._opening:
            with self._turn:
                for path in paths:
                    self._watched.wanted.setdefault(path, Counter())[event_types] += 1
                is_reading = self._is_reading
            try:
                named = [path for path in paths if is_named(path)]
                end = self._feed.end(named)
            except BaseException:
                self.detach(paths, event_types)
                raise
            sequences = dict(zip(named, end.next_sequences, strict=True))
            with self._turn:
                for stream_id, sequence in sequences.items():
                    self._watched.reached.setdefault(stream_id, sequence)
                if not is_reading:
                    self._begin(end.position)
        return end.position, sequences

    def detach(self, paths: Sequence[StreamID], event_types: frozenset[str]) -> None:
        """Take one watch off these paths."""
        with self._turn:
            watched = self._watched
            for path in paths:
                watched.wanted[path] -= Counter([event_types])
                if not watched.wanted[path]:
                    del watched.wanted[path]
                    watched.reached.pop(path, None)
                    watched.left_out.pop(path, None)

    def stop(self) -> None:
        """End the thread when it next looks around."""
        with self._turn:
            self._is_stopping = True
            self._turn.notify_all()

    def _begin(self, position: FeedPosition) -> None:
        self._position, self._is_reading = position, True
        if self._thread is None:
            self._thread = threading.Thread(target=self._read_on, name="feed", daemon=True)
            self._thread.start()
        self._turn.notify_all()

    # ---- the thread ------------------------------------------------------------------------------

    def _read_on(self) -> None:
        was_away = False
        while self._has_watchers():
            try:
                if was_away:
                    self._look_back()
                    was_away = False
                self._take(self._feed.read(self._position, self._patience_ms))
            except ArgyllError as exc:
                if not was_away:
                    _log.warning("feed_unavailable", reason=str(exc))
                was_away = True
                self._pause()
            except Exception:  # noqa: BLE001 - watchers of this process have nobody else
                _log.exception("feed_failed")
                was_away = True
                self._pause()

    def _has_watchers(self) -> bool:
        """True as soon as something is watched; False at the end."""
        with self._turn:
            if not self._watched.wanted:
                self._is_reading = False
            self._turn.wait_for(lambda: self._is_reading or self._is_stopping)
            return not self._is_stopping

    def _pause(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._is_stopping, RETRY_SECONDS)

    def _take(self, reading: Reading) -> None:
        """Hand over what a reading speaks of; the position moves only when all of it is through."""
        if not reading.is_whole:
            _log.warning("feed_trimmed")
            self._look_back(is_whole=False)
        erasures = Counter(note.stream_id for note in reading.notes if _is_erasure(note))
        notes: list[Note] = []
        for note in reading.notes:
            if _is_erasure(note):
                self._hand_over_all(notes, erasures.keys())
                notes = []
                self._forget(note.stream_id)
                erasures -= Counter([note.stream_id])
                continue
            is_watched, is_named_one = self._is_watched(note), note.stream_id in self._watched.reached
            if is_named_one and not is_watched and any(other.stream_id == note.stream_id for other in notes):
                self._hand_over_all(notes, erasures.keys())  # what comes before goes before
                notes = []
            if is_watched or self._is_ahead(note):
                notes.append(note)
            else:
                self._leave_out(note)
        self._hand_over_all(notes, ())
        if reading.notes:
            self._position = reading.notes[-1].position

    def _hand_over_all(self, notes: Sequence[Note], gone: Collection[StreamID]) -> None:
        """What these notes speak of; the logs of those that are `gone` since are no longer theirs, or not there."""
        if notes:
            self._hand_over(self._delivery(notes, gone))
            self._position = notes[-1].position

    def _forget(self, stream_id: StreamID) -> None:
        """A stream was erased; the next one of that id begins anew, and so has whoever named it."""
        if stream_id in self._watched.wanted:
            self._hand_over(Delivery(runs=(), erased=frozenset([stream_id])))
        with self._turn:
            self._watched.reached.pop(stream_id, None)
            self._watched.left_out.pop(stream_id, None)

    def _is_ahead(self, note: Note) -> bool:
        """Whether a named stream has events before these that no note told of."""
        with self._turn:
            return note.first_sequence > self._watched.reached.get(note.stream_id, note.first_sequence)

    def _leave_out(self, note: Note) -> None:
        """Count what nobody wants of a named stream as handed over."""
        with self._turn:
            watched, stream_id = self._watched, note.stream_id
            if note.next_sequence > watched.reached.get(stream_id, note.next_sequence):
                watched.left_out.setdefault(stream_id, watched.reached[stream_id])
                watched.reached[stream_id] = note.next_sequence

    def _is_watched(self, note: Note) -> bool:
        if is_canary(note.stream_id[-1]):
            return False
        return any(not types or not note.event_types or types & note.event_types for types in self._wanted(note))

    def _wanted(self, note: Note) -> list[frozenset[str]]:
        """The types of events that each watch of a stream is about."""
        with self._turn:
            return [types for path in paths_above(note.stream_id) for types in self._watched.wanted.get(path, ())]

    def _delivery(self, notes: Sequence[Note], gone: Collection[StreamID]) -> Delivery:
        """The events that these notes speak of, in the order of the notes; each log is read once, or not at all."""
        with self._turn:
            reached, left_out = dict(self._watched.reached), dict(self._watched.left_out)
        first = {note.stream_id: reached.get(note.stream_id, note.first_sequence) for note in notes}
        last: dict[StreamID, int] = {}
        for note in notes:
            first[note.stream_id] = min(first[note.stream_id], note.first_sequence)
            last[note.stream_id] = note.next_sequence
        brought = self._brought(notes, reached)
        ranges = [
            LogRange(stream_id=s, first_sequence=first[s], next_sequence=end)
            for s, end in last.items()
            if s not in brought and s not in gone
        ]
        logs = dict.fromkeys(last.keys() - brought)
        logs |= zip((wanted.stream_id for wanted in ranges), self._feed.events(ranges), strict=True)
        runs, cut = [], dict(first)
        for note in notes:
            if note.stream_id in brought:
                after = left_out.pop(note.stream_id, note.first_sequence)
                runs.append(self._run(note.position, note.stream_id, after, note.next_sequence - 1, (note.last,)))
                continue
            stream_id, events, start = note.stream_id, logs[note.stream_id], cut[note.stream_id]
            if stream_id not in reached:  # what was left out in between is not for those who watch many streams
                start = max(start, note.first_sequence)
            if events is not None and note.next_sequence > start:
                base, after = first[stream_id], left_out.pop(stream_id, start)
                new = events[start - base : note.next_sequence - base]
                runs.append(self._run(note.position, stream_id, after, start, new))
                cut[stream_id] = note.next_sequence
        return Delivery(runs=tuple(runs), lost=frozenset(s for s, events in logs.items() if events is None))

    def _brought(self, notes: Sequence[Note], reached: Mapping[StreamID, int]) -> frozenset[StreamID]:
        """The streams of which nobody needs more than the event that their only note brings."""
        times = Counter(note.stream_id for note in notes)
        return frozenset(
            note.stream_id
            for note in notes
            if times[note.stream_id] == 1
            and reached.get(note.stream_id, note.first_sequence) == note.first_sequence
            and _is_enough(note, self._wanted(note))
        )

    def _look_back(self, is_whole: bool = True) -> None:
        """Compare every named stream with its log, and hand over what nobody has told of."""
        with self._turn:
            reached, left_out = dict(self._watched.reached), dict(self._watched.left_out)
        ends = self._feed.end(list(reached)).next_sequences
        ahead = dict(zip(reached, ends, strict=True))
        lost = {s for s, end in ahead.items() if end < reached[s]}
        ranges = [
            LogRange(stream_id=s, first_sequence=reached[s], next_sequence=end)
            for s, end in ahead.items()
            if not is_whole and end > reached[s]
        ]
        runs = []
        for wanted, events in zip(ranges, self._feed.events(ranges), strict=True):
            if events is None:
                lost.add(wanted.stream_id)
            else:
                stream_id, first = wanted.stream_id, wanted.first_sequence
                runs.append(self._run(self._position, stream_id, left_out.get(stream_id, first), first, events))
        if runs or lost or not is_whole:
            self._hand_over(Delivery(runs=tuple(runs), lost=frozenset(lost), is_whole=is_whole))

    def _hand_over(self, delivery: Delivery) -> None:
        self.listener(delivery)
        with self._turn:
            reached = self._watched.reached
            for run in delivery.runs:
                if run.stream_id in reached:
                    end = run.first_sequence + len(run.events)
                    reached[run.stream_id] = max(reached[run.stream_id], end)
                    self._watched.left_out.pop(run.stream_id, None)

    def _run(
        self, position: FeedPosition, stream_id: StreamID, after: int, first: int, events: tuple[bytes, ...]
    ) -> Run:
        return Run(
            feed=self.number, position=position, stream_id=stream_id, after=after, first_sequence=first, events=events
        )
