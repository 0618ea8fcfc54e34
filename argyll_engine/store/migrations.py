# SPDX-License-Identifier: Apache-2.0
"""The steps from each form of the store to the next. Called by `argyll migrate` and by `argyll up` on its own Redis.

Every step may be carried out again and while other processes work; it changes what is there and never how it reads to
the version before. Logs are not migrated: `codec/upcasts.py` reads old events.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from argyll_engine.errors import StoreLockedError
from argyll_engine.model.ids import FlowID, flow_stream, is_canary, is_child, root_of
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.leases import RedisWorkLeases
from argyll_engine.store.schema import NEEDS, OLDEST, SCHEMA, StoreSchema

LEASE: Final = "migrate"
LEASE_MS: Final = 60_000
"""Prolonged after each batch; a migration that was killed leaves the store free again after this."""
BATCH: Final = 1_000

Step = Callable[[Redis, Keys, bool], Iterator[int]]
"""Changes a store batch by batch and says how much each changed, or would if it is only tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What leads to the form `to`."""

    to: int
    title: str
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """A migration that was carried out, or tried, and how many entries it changed."""

    to: int
    title: str
    changes: int


def note_families(client: Redis, keys: Keys, dry_run: bool) -> Iterator[int]:
    """Notes each child under the flow at its top, where archiving looks for it."""
    cursor = 0
    while True:
        found: Any = client.hscan(keys.statuses(), cursor, count=BATCH)
        cursor, statuses = found
        flows = [FlowID(flow_id.decode()) for flow_id in statuses]
        children = [flow_id for flow_id in flows if is_child(flow_id) and not is_canary(flow_id)]
        yield _note(client, keys, children, dry_run)
        if cursor == 0:
            return


def _note(client: Redis, keys: Keys, children: list[FlowID], dry_run: bool) -> int:
    """How many of these children were not noted before."""
    pipeline = client.pipeline(transaction=False)
    for child in children:
        family = keys.family(flow_stream(root_of(child)))
        if dry_run:
            pipeline.sismember(family, child)
        else:
            pipeline.sadd(family, child)
    answers = [int(answer) for answer in pipeline.execute()]
    return answers.count(0) if dry_run else sum(answers)


MIGRATIONS: Final = (Migration(to=2, title="note the children of each flow, for archiving", step=note_families),)


class Migrator:
    """Brings one store to the form of this version.

    Args:
        client: Of the store's Redis.
        store_name: `engine` or `flow`.
        migrations: The steps that there are, in order.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        store_name: str,
        migrations: tuple[Migration, ...] = MIGRATIONS,
    ) -> None:
        self._client, self._keys, self._name = client, Keys(prefix), store_name
        self._migrations = migrations
        self._schema = StoreSchema(client, prefix, store_name)
        self._leases = RedisWorkLeases(client, prefix, store_name=store_name)
        self._owner = uuid.uuid4().hex

    def migrate(self, *, dry_run: bool = False, again: bool = False) -> tuple[Migrated, ...]:
        """What was done, in order; a store that holds nothing gets its form at once.

        Args:
            dry_run: Only look what would change.
            again: Also repeat the last step, for what versions before it have written since.

        Raises:
            StoreLockedError: The store is not ours to migrate now.
            StoreUnavailableError: What was done by then stays; doing it again is safe.
        """
        found = self._schema.read()
        if found is None:
            if not dry_run:
                self._schema.begin()
            return ()
        after = min(found.version, SCHEMA - 1) if again else found.version
        due = [migration for migration in self._migrations if migration.to > max(after, OLDEST)]
        if dry_run:
            return tuple(self._carry_out(migration, dry_run) for migration in due)
        if not due:
            return ()
        self._hold()
        try:
            done = tuple(self._carry_out(migration, dry_run) for migration in due)
            if found.version < SCHEMA:
                self._schema.mark(SCHEMA, max(found.needs, NEEDS))
            return done
        finally:
            self._leases.release_lease(LEASE, self._owner)

    def _carry_out(self, migration: Migration, dry_run: bool) -> Migrated:
        changes = 0
        with translated(self._name):
            for changed in migration.step(self._client, self._keys, dry_run):
                changes += changed
                if not dry_run:
                    self._hold()
        return Migrated(to=migration.to, title=migration.title, changes=changes)

    def _hold(self) -> None:
        if not self._leases.acquire_lease(LEASE, self._owner, LEASE_MS):
            raise StoreLockedError(f"another `argyll migrate` works on the {self._name} store")
