# SPDX-License-Identifier: Apache-2.0
"""Which form the keys of a store have, as a number that the store itself keeps. Called by the CLI at every start.

A version of Argyll knows one form and says which older versions may work beside it. `migrations.py` has the steps from
each form to the next.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from redis import Redis

from argyll_engine.model.ids import CATALOG_STREAM, CLUSTER_STREAM
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys

SCHEMA: Final = 2
"""The form that this version reads and writes. 2: the children of each flow are noted (`family`)."""
NEEDS: Final = 1
"""The oldest form that a version may know to work on a store of form `SCHEMA`."""
OLDEST: Final = 1
"""The form of stores that keep no number; Argyll did not number them at first."""

RESTORING: Final = 1_000_000_000
"""What no version knows: a restore has begun and not ended."""

_VERSION, _NEEDS = "version", "needs"


class Verdict(StrEnum):
    """How a store's form suits this version."""

    FITS = "fits"
    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form of a store: its number, and the smallest number that a version must know to work on it."""

    version: int
    needs: int

    @property
    def verdict(self) -> Verdict:
        """Whether this version may work on such a store; a newer form that allows for it fits."""
        if self.needs > SCHEMA:
            return Verdict.NEWER
        return Verdict.OLDER if self.version < SCHEMA else Verdict.FITS


class StoreSchema:
    """The form of one store. Every method raises StoreUnavailableError."""

    def __init__(self, client: Redis, prefix: str, store_name: str) -> None:
        self._client, self._keys, self._name = client, Keys(prefix), store_name

    def read(self) -> Form | None:
        """The form of the store; None for one that holds nothing yet."""
        with translated(self._name):
            kept: Any = self._client.hmget(self._keys.schema(), [_VERSION, _NEEDS])
            if kept[0] is None:
                return Form(version=OLDEST, needs=OLDEST) if self._client.exists(*self._signs()) else None
        return Form(version=int(kept[0]), needs=int(kept[1] or kept[0]))

    def begin(self) -> Form:
        """The form of the store, which is ours from now on if it held nothing."""
        found = self.read()
        if found is None:
            self.keep()
            found = self.read()
        assert found is not None
        return found

    def keep(self) -> None:
        """Number the store again if it lost all it had while this process was at work on it; else nothing."""
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hsetnx(self._keys.schema(), _VERSION, str(SCHEMA))
            pipeline.hsetnx(self._keys.schema(), _NEEDS, str(NEEDS))
            pipeline.execute()

    def mark(self, version: int, needs: int) -> None:
        """Say that the store has this form now."""
        with translated(self._name):
            self._client.hset(self._keys.schema(), mapping={_VERSION: version, _NEEDS: needs})

    def _signs(self) -> tuple[str, ...]:
        """Keys of which a store that was ever used has one."""
        keys = self._keys
        logs = [key(stream) for stream in (CATALOG_STREAM, CLUSTER_STREAM) for key in (keys.events, keys.snapshot)]
        return (keys.statuses(), *logs)
