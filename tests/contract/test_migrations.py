# SPDX-License-Identifier: Apache-2.0
"""The number of a store's form, and the way from one to the next, on a real Redis."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from redis import Redis

from argyll_engine.errors import StoreLockedError
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.store.connect import connect
from argyll_engine.store.keys import Keys
from argyll_engine.store.leases import RedisWorkLeases
from argyll_engine.store.migrations import LEASE, LEASE_MS, Migrator
from argyll_engine.store.schema import NEEDS, SCHEMA, Form, StoreSchema, Verdict
from tests.contract.redis_server import RedisServer

_PREFIXES = (f"form:{number}" for number in count())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis of this module's own."""
    folder: Path = tmp_path_factory.mktemp("forms")
    server = RedisServer(folder)
    server.start()
    with connect(server.config()) as client:
        yield client
    server.stop()


@pytest.fixture
def prefix() -> str:
    """Keys that no other test has."""
    return next(_PREFIXES)


def _old_store(client: Redis, prefix: str, children: int = 2) -> Keys:
    """A store as versions left it that knew no families: a flow, its children and theirs, and a flow alone."""
    keys = Keys(prefix)
    flows = ["a", "b", *(f"a:s:t{number}" for number in range(children)), "a:s:t0:s:t"]
    client.hset(keys.statuses(), mapping=dict.fromkeys(flows, "completed"))
    return keys


def _family(client: Redis, keys: Keys, flow_id: str) -> set[bytes]:
    found: set[bytes] = client.smembers(keys.family(flow_stream(FlowID(flow_id))))  # type: ignore[assignment]
    return found


def test_a_store_that_lost_everything_is_numbered_by_those_who_live(client: Redis, prefix: str) -> None:
    """What they write meanwhile does not make it one of the past; a number that is there stays."""
    schema = StoreSchema(client, prefix, "flow")
    _old_store(client, prefix)
    schema.keep()
    regained = schema.read()
    schema.mark(SCHEMA + 1, NEEDS)
    schema.keep()
    ours, newer = Form(version=SCHEMA, needs=NEEDS), Form(version=SCHEMA + 1, needs=NEEDS)
    assert (ours, newer) == (regained, schema.read())


def test_an_empty_store_gets_the_form_of_whoever_comes_first(client: Redis, prefix: str) -> None:
    """It has none, then ours, which fits and stays."""
    schema = StoreSchema(client, prefix, "flow")
    before, begun, again = schema.read(), schema.begin(), schema.begin()
    ours = Form(version=SCHEMA, needs=NEEDS)
    assert (None, ours, ours, Verdict.FITS) == (before, begun, again, begun.verdict)


def test_a_store_without_a_number_has_the_oldest_form(client: Redis, prefix: str) -> None:
    """What was written before there were numbers is to be migrated, and is not taken for new."""
    _old_store(client, prefix)
    assert Verdict.OLDER is StoreSchema(client, prefix, "flow").begin().verdict


@pytest.mark.parametrize(
    ("version", "needs", "verdict"),
    [(SCHEMA + 1, SCHEMA, Verdict.FITS), (SCHEMA + 1, SCHEMA + 1, Verdict.NEWER), (SCHEMA - 1, 1, Verdict.OLDER)],
)
def test_a_newer_form_says_itself_whether_we_may_work_on_it(
    client: Redis, prefix: str, version: int, needs: int, verdict: Verdict
) -> None:
    """So that processes of two versions can work side by side while a deployment is upgraded."""
    schema = StoreSchema(client, prefix, "flow")
    schema.mark(version, needs)
    form = schema.read()
    assert form is not None
    assert verdict is form.verdict


def test_migrating_notes_the_children_of_each_flow_once(client: Redis, prefix: str) -> None:
    """All descendants are found under the flow at their top; the store has our form then, and nothing is left to do."""
    keys = _old_store(client, prefix)
    migrator = Migrator(client, prefix, "flow")
    tried, done, idle = migrator.migrate(dry_run=True), migrator.migrate(), migrator.migrate()
    assert ([3], [3], ()) == ([step.changes for step in tried], [step.changes for step in done], idle)
    assert {b"a:s:t0", b"a:s:t1", b"a:s:t0:s:t"} == _family(client, keys, "a")
    assert (set(), Form(version=SCHEMA, needs=NEEDS)) == (
        _family(client, keys, "b"),
        StoreSchema(client, prefix, "flow").read(),
    )


def test_trying_changes_nothing(client: Redis, prefix: str) -> None:
    """After a dry run the store is as it was, its form too."""
    keys = _old_store(client, prefix)
    Migrator(client, prefix, "flow").migrate(dry_run=True)
    assert (set(), False) == (_family(client, keys, "a"), bool(client.exists(keys.schema())))


def test_what_old_processes_wrote_since_is_caught_up_with(client: Redis, prefix: str) -> None:
    """Asked for again, the last step finds what came after it, and only that."""
    keys = _old_store(client, prefix)
    migrator = Migrator(client, prefix, "flow")
    migrator.migrate()
    client.hset(keys.statuses(), "b:s:late", "active")
    (step,) = migrator.migrate(again=True)
    assert (1, {b"b:s:late"}) == (step.changes, _family(client, keys, "b"))


def test_one_migrates_at_a_time(client: Redis, prefix: str) -> None:
    """While somebody holds the lock nobody else begins; it is free again afterwards."""
    keys = _old_store(client, prefix)
    leases = RedisWorkLeases(client, prefix)
    leases.acquire_lease(LEASE, "other", LEASE_MS)
    with pytest.raises(StoreLockedError):
        Migrator(client, prefix, "flow").migrate()
    assert set() == _family(client, keys, "a")
    leases.release_lease(LEASE, "other")
    Migrator(client, prefix, "flow").migrate()
    assert leases.acquire_lease(LEASE, "other", LEASE_MS)


def test_large_stores_are_migrated_in_batches(client: Redis, prefix: str) -> None:
    """However many flows there are, each child is noted."""
    keys = _old_store(client, prefix, children=3_000)
    (step,) = Migrator(client, prefix, "flow").migrate()
    assert (3_001, 3_001) == (step.changes, len(_family(client, keys, "a")))
