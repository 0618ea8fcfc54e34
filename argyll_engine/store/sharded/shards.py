# SPDX-License-Identifier: Apache-2.0
"""The flow shards of a deployment: which flow is where, and asking them, several at the same time.

A flow is sought at its home first, and then where it may have come before a shard was added. Where nothing was added
it can be nowhere else, and nobody looks for it. Called by the stores beside it and by wiring.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeAlias, TypeVar

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.model.listing import FlowQuery
from argyll_engine.policy.placement import Layout, home_of, placement_key, places_of
from argyll_engine.ports import ArchiveStore, EventStore, FlowIndex, HeldFlows, LoadRequest, WorkLeases
from argyll_engine.store.sharded.guard import Guard

THREADS: Final = 8
"""Calls to one shard that go beside those to others; more wait."""
REMEMBERED: Final = 65_536
"""Flows of which a process remembers where they are, of those that may be in several places."""

A = TypeVar("A")

Number: TypeAlias = int
"""Place of a shard in the configuration, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One flow store.

    Args:
        name: By which flows are placed; it stays the same for as long as the store has flows.
        guard: Through which it is asked.
    """

    name: str
    guard: Guard
    flows: EventStore
    index: FlowIndex
    archive: ArchiveStore
    held: HeldFlows
    leases: WorkLeases


class Shards:
    """Several flow stores. Threads may share it.

    Args:
        shards: In the order of the configuration.
        learn: Gives the layouts that there have been, the present one among them; asked once, when it is first
            needed. Raises StoreUnavailableError.
    """

    def __init__(self, shards: Sequence[Shard], learn: Callable[[], Collection[Layout]]) -> None:
        self._shards, self._learn = tuple(shards), learn
        self._names = tuple(shard.name for shard in shards)
        self._layouts: Collection[Layout] = ()
        self._lock = Lock()
        self._found: OrderedDict[str, Number] = OrderedDict()
        self._pools = tuple(ThreadPoolExecutor(THREADS, thread_name_prefix=f"shard-{shard.name}") for shard in shards)

    def __len__(self) -> int:
        return len(self._shards)

    # ---- where flows are -------------------------------------------------------------------------

    def home(self, flow_id: FlowID) -> Number:
        """Where a flow comes that is nowhere yet."""
        return self._names.index(home_of(placement_key(flow_id), self._names))

    def places(self, flow_id: FlowID) -> tuple[Number, ...]:
        """Where a flow may be, its home first. Raises StoreUnavailableError."""
        if not self._layouts:
            with self._lock:
                self._layouts = self._layouts or self._learn()
        return places_of(placement_key(flow_id), self._names, self._layouts)

    def in_use(self) -> tuple[str, ...]:
        """The names of the shards that have flows. Raises StoreUnavailableError."""
        counts = self.all(lambda shard: shard.index.query(FlowQuery(limit=1)).total)
        return tuple(name for name, count in zip(self._names, counts, strict=True) if count)

    def locate(self, flow_ids: Sequence[FlowID], *, anew: bool = False) -> list[Number]:
        """Where each flow is with its root, or else its home.

        Args:
            anew: Whether to ask the shards even where this process knows: a flow may have been erased since.

        Raises:
            StoreUnavailableError: A shard is away that may have one of them.
        """
        found = [self._known(flow_id, anew) for flow_id in flow_ids]
        unknown = [index for index, number in enumerate(found) if number is None]
        roots = [FlowID(placement_key(flow_ids[index])) for index in unknown]
        streams = self.look(
            roots,
            lambda shard, some: shard.flows.load([LoadRequest(stream_id=flow_stream(roots[i])) for i in some]),
            lambda stream: stream.next_sequence > 0,
        )
        for index, (number, _) in zip(unknown, streams, strict=True):
            found[index] = number
        return [number for number in found if number is not None]

    def look(
        self,
        flow_ids: Sequence[FlowID],
        ask: Callable[[Shard, Sequence[int]], Sequence[A]],
        is_there: Callable[[A], bool],
    ) -> list[tuple[Number, A]]:
        """What each flow's shard answers, and which that is; of a flow that is nowhere, its home.

        Args:
            ask: Asks one shard for the flows with these indexes.
            is_there: Whether the answer shows that the shard has the flow.

        Raises:
            StoreUnavailableError: A shard is away that may have one of them.
        """
        orders = [self._order(flow_id) for flow_id in flow_ids]
        answers: dict[int, tuple[Number, A]] = {}
        found, away = self._asked(((index, order[0]) for index, order in enumerate(orders)), ask)
        for error in away.values():
            raise error
        for index, number, answer in found:
            answers[index] = (number, answer)
        missing = {index for index, (_, answer) in answers.items() if not is_there(answer)}
        further = [(index, number) for index in sorted(missing) for number in orders[index][1:]]
        found, away = self._asked(further, ask)
        for index, number, answer in found:
            if is_there(answer):
                answers[index] = (number, answer)
                missing.discard(index)
        for index, number in further:
            if index in missing and number in away:
                raise away[number]
        for index in missing:
            answers[index] = (self.home(flow_ids[index]), answers[index][1])
        self._remember(flow_ids, orders, answers, missing)
        return [answers[index] for index in range(len(flow_ids))]

    def _known(self, flow_id: FlowID, anew: bool) -> Number | None:
        places = self.places(flow_id)
        if len(places) == 1:
            return places[0]
        return None if anew else self._found.get(placement_key(flow_id))

    def _order(self, flow_id: FlowID) -> tuple[Number, ...]:
        """Where a flow may be, the likeliest place first."""
        places = self.places(flow_id)
        known = self._found.get(placement_key(flow_id)) if len(places) > 1 else None
        return places if known is None else (known, *(number for number in places if number != known))

    def _remember(
        self,
        flow_ids: Sequence[FlowID],
        orders: Sequence[tuple[Number, ...]],
        answers: Mapping[int, tuple[Number, object]],
        missing: Collection[int],
    ) -> None:
        """Where flows were found that may be in several places."""
        unclear = [index for index, order in enumerate(orders) if len(order) > 1]
        if not unclear:
            return
        with self._lock:
            for index in unclear:
                key = placement_key(flow_ids[index])
                self._found.pop(key, None)
                if index not in missing:
                    self._found[key] = answers[index][0]
            while len(self._found) > REMEMBERED:
                self._found.popitem(last=False)

    # ---- asking ----------------------------------------------------------------------------------

    def one(self, number: Number, call: Callable[[Shard], A]) -> A:
        """What one shard answers. Raises what the call raises; StoreUnavailableError if the shard is away."""
        shard = self._shards[number]
        return shard.guard.run(lambda: call(shard))

    def all(self, call: Callable[[Shard], A]) -> list[A]:
        """What each shard answers, asked at the same time. Raises what one of the calls raises."""
        answers = self.each(range(len(self)), lambda _, shard: call(shard))
        for answer in answers.values():
            if isinstance(answer, StoreUnavailableError):
                raise answer
        return [answer for answer in answers.values() if not isinstance(answer, StoreUnavailableError)]

    def each(
        self, numbers: Iterable[Number], call: Callable[[Number, Shard], A]
    ) -> dict[Number, A | StoreUnavailableError]:
        """What each of these shards answers, asked at the same time; of one that is away, the error."""
        asked = tuple(numbers)
        if not asked:
            return {}
        first, *others = asked
        futures = {number: self._pools[number].submit(self._try, number, call) for number in others}
        return {first: self._try(first, call)} | {number: future.result() for number, future in futures.items()}

    def _try(self, number: Number, call: Callable[[Number, Shard], A]) -> A | StoreUnavailableError:
        try:
            return self.one(number, lambda shard: call(number, shard))
        except StoreUnavailableError as exc:
            return exc

    def _asked(
        self, wanted: Iterable[tuple[int, Number]], ask: Callable[[Shard, Sequence[int]], Sequence[A]]
    ) -> tuple[list[tuple[int, Number, A]], dict[Number, StoreUnavailableError]]:
        """Of each index and shard the answer, and the shards that are away."""
        shares: dict[Number, list[int]] = defaultdict(list)
        for index, number in wanted:
            shares[number].append(index)
        found: list[tuple[int, Number, A]] = []
        away: dict[Number, StoreUnavailableError] = {}
        for number, answers in self.each(shares, lambda number, shard: ask(shard, shares[number])).items():
            if isinstance(answers, StoreUnavailableError):
                away[number] = answers
            else:
                found += [(index, number, answer) for index, answer in zip(shares[number], answers, strict=True)]
        return found, away
