# SPDX-License-Identifier: Apache-2.0
"""Starts that are in one batch and go to different shards: each shard's are started by themselves, at the same time.

So a shard that is away or full refuses its own flows and no others. Called by the engine.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argyll_engine import log
from argyll_engine.errors import ArgyllError, BrokenError, TransientError
from argyll_engine.model.start import Start, StartTogether
from argyll_engine.store.sharded.shards import Number, Shards

THREADS: Final = 8
"""Shares of batches that are started at the same time, for each shard."""

_log = log.get(__name__)


class ShardedStarts:
    """Divides batches of starts.

    Args:
        check_room: For each shard, raises StoreFullError where it has no room for another flow.
    """

    def __init__(self, shards: Shards, check_room: Sequence[Callable[[], None]]) -> None:
        self._shards, self._check_room = shards, check_room
        self._pool = ThreadPoolExecutor(THREADS * len(shards), thread_name_prefix="starts")

    def start(self, starts: Sequence[Start], start_together: StartTogether) -> list[ArgyllError | None]:
        """What came of each start; also a shard that is away is the answer to those that it concerns.

        Raises StoreUnavailableError where it is not known which shards there are; and what nobody foresaw, of a start
        that is alone.
        """
        if not starts:
            return []
        shares: dict[tuple[Number, ...], list[int]] = defaultdict(list)
        for index, start in enumerate(starts):
            shares[self._shards.places(start.flow_id)].append(index)
        first, *others = [(places[0], [starts[index] for index in indexes]) for places, indexes in shares.items()]
        if not others:
            return self._share(*first, start_together)
        futures = [self._pool.submit(self._apart, number, share, start_together) for number, share in others]
        found = [self._apart(*first, start_together), *(future.result() for future in futures)]
        answers: dict[int, ArgyllError | None] = {}
        for indexes, share in zip(shares.values(), found, strict=True):
            answers.update(zip(indexes, share, strict=True))
        return [answers[index] for index in range(len(starts))]

    def _share(
        self, number: Number, starts: Sequence[Start], start_together: StartTogether
    ) -> list[ArgyllError | None]:
        try:
            self._check_room[number]()
            return start_together(starts)
        except TransientError as exc:
            return [exc] * len(starts)

    def _apart(
        self, number: Number, starts: Sequence[Start], start_together: StartTogether
    ) -> list[ArgyllError | None]:
        """The same for one share of several: whatever goes wrong with it, the others have gone through."""
        try:
            return self._share(number, starts, start_together)
        except Exception as exc:  # noqa: BLE001 - the others of the batch are to be told that they have gone through
            _log.exception("starts_broken", count=len(starts))
            return [BrokenError(f"flow {start.flow_id}: {type(exc).__name__}: {exc}") for start in starts]
