# SPDX-License-Identifier: Apache-2.0
"""`argyll backup` between two real Redis servers, on files and on a server that speaks S3."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from click.testing import CliRunner, Result
from moto.server import ThreadedMotoServer
from msgspec.structs import replace
from redis import Redis

from argyll_api.cli import main
from argyll_api.cli.startup import Refusal, check_stores
from argyll_engine import backup
from argyll_engine.aggregates import CatalogAggregate, FlowAggregate
from argyll_engine.codec import digest_to_text, encode_recorded
from argyll_engine.config import EngineConfig
from argyll_engine.evolve.catalog import replay_catalog
from argyll_engine.evolve.flow import replay_flow
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.digest import digest_of
from argyll_engine.model.events import FlowStarted, Recorded, StepRegistered
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import CATALOG_STREAM, FlowID, flow_stream
from argyll_engine.model.listing import FlowQuery
from argyll_engine.model.stored import StoredStream
from argyll_engine.ports import Commit, Committed, Snapshot
from argyll_engine.store.connect import connect
from argyll_engine.store.dump import RedisDump
from argyll_engine.store.index import RedisFlowIndex
from argyll_engine.store.keys import Keys
from argyll_engine.store.redis import RedisEventStore
from tests.contract.redis_server import RedisServer
from tests.definitions import a_step
from tests.fakes import START
from tests.scenario import Scenario, complete, given, run

Variables = dict[str, str]


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A directory to put backups into."""
    return str(tmp_path / "backups")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket for them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    Session(region_name="us-east-1").client("s3", endpoint_url=endpoint).create_bucket(Bucket="backups")
    yield f"s3://backups?region=us-east-1&endpoint={endpoint}&use_path_style=true"
    server.stop()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Variables]:
    """Variables of a deployment that is used."""
    yield from _deployment(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Variables]:
    """Variables of a deployment with nothing in it."""
    yield from _deployment(tmp_path / "target")


def _deployment(folder: Path) -> Iterator[Variables]:
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    address = server.config().addr
    yield {"ENGINE_REDIS_ADDR": address, "FLOW_REDIS_ADDR": address, "LOG_LEVEL": "error"}
    server.stop()


def _backup(variables: Variables, *words: str) -> Result:
    return CliRunner(env=variables).invoke(main, ["backup", *words])


def test_a_backup_is_written_while_flows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never has all of them in memory: those before are in a part by then."""
    monkeypatch.setattr(backup, "PART_BYTES", 1)
    parts: dict[str, bytes] = {}
    seen: list[int] = []

    class Flows(RedisDump):
        def __init__(self) -> None:
            """Nothing is asked."""

        def shared_streams(self) -> list[StoredStream]:
            return []

        def flows(self) -> Iterator[StoredStream]:
            for number in range(4):
                seen.append(len(parts))
                yield StoredStream(stream_id=flow_stream(FlowID(f"f{number}")), first_sequence=0, events=(b"{}",))

    class Folder:
        def put(self, key: str, body: bytes) -> None:
            parts[key] = body

        def get(self, key: str) -> bytes | None:
            return parts.get(key)

    manifest = backup.create(Flows(), Flows(), (), Folder(), name="one", at=START, written_by="me")
    assert (4, [0, 1, 2, 3]) == (manifest.flows, seen)


class Deployment:
    """What a deployment holds, as its parts see it."""

    def __init__(self, variables: Variables) -> None:
        self.config = EngineConfig.from_env(variables)
        self.client: Redis = connect(self.config.flow_redis)
        self.flows = RedisEventStore(self.client, self.config.flow_redis.prefix, store_name="flow")
        self.engine = RedisEventStore(self.client, self.config.engine_redis.prefix, store_name="engine", trimmed=True)
        self.index = RedisFlowIndex(self.client, self.config.flow_redis.prefix)
        self.keys = Keys(self.config.flow_redis.prefix)

    def fill(self) -> None:
        """Steps whose log was trimmed, an active flow, an ended one with a label and a child, and an archived one."""
        check_stores(self.config)
        steps = [Recorded(event=StepRegistered(step=a_step(name)), sequence=n, at=START) for n, name in enumerate("ab")]
        events = tuple(encode_recorded(CATALOG_STREAM, recorded) for recorded in steps)
        self.engine.commit([Commit(stream_id=CATALOG_STREAM, expected_sequence=0, events=events[:1])])
        payload = CatalogAggregate().to_snapshot(replay_catalog(CatalogState(), steps[:1]))
        self.engine.save_snapshot(CATALOG_STREAM, Snapshot(sequence=1, payload=payload))
        self.engine.commit([Commit(stream_id=CATALOG_STREAM, expected_sequence=1, events=events[1:])])
        self.put("active", given([a_step("a")], ["a"]))
        self.put("ended", _ended(), labels={"team": "blue"})
        self.put("ended:a:t", _ended())
        self.put_archived("old", _ended())

    def put(self, flow_id: str, scenario: Scenario, labels: dict[str, str] | None = None) -> FlowState:
        """Commit a scenario's log as a flow of this id."""
        aggregate, log = (
            FlowAggregate(grace_seconds=60),
            [_named(recorded, flow_id, labels) for recorded in scenario.log],
        )
        state = replay_flow(None, log)
        commit = Commit(
            stream_id=flow_stream(flow_id),
            expected_sequence=0,
            events=tuple(encode_recorded(flow_stream(flow_id), recorded) for recorded in log),
            index=aggregate.index(state, log),
            due_at_ms=aggregate.due_at_ms(state, START),
        )
        assert isinstance(self.flows.commit([commit])[0], Committed)
        return state

    def put_archived(self, flow_id: str, scenario: Scenario) -> None:
        """Leave the digest of an ended flow."""
        log = [_named(recorded, flow_id, {"team": "red"}) for recorded in scenario.log]
        state = replay_flow(None, log)
        assert state.deactivated_at is not None
        digest = digest_to_text(digest_of(state, state.deactivated_at, len(log)))
        stream = StoredStream(stream_id=flow_stream(flow_id), first_sequence=len(log), events=(), digest=digest)
        RedisDump(self.client, self.config.flow_redis.prefix, "flow").put_archived([stream])

    def contents(self) -> Any:
        """Everything that clients and workers can tell."""
        names, catalog = ("active", "ended", "ended:a:t"), Keys(self.config.engine_redis.prefix)
        return {
            "logs": {name: self.flows.read_log(flow_stream(name)) for name in names},
            "digest": self.client.hgetall(self.keys.snapshot(flow_stream("old"))),
            "catalog": (
                self.client.lrange(catalog.events(CATALOG_STREAM), 0, -1),
                self.client.hgetall(catalog.snapshot(CATALOG_STREAM)),
            ),
            "lists": [self.index.query(FlowQuery()), self.index.query(FlowQuery(labels={"team": "blue"}))],
            "family": self.client.smembers(self.keys.family(flow_stream("ended"))),
            "due": self.client.zrange(self.keys.due(), 0, -1),
        }


def _ended() -> Scenario:
    return given([a_step("a")], ["a"]).when(run("a"), complete("a", {"x": 1.0}))


def _named(recorded: Recorded, flow_id: str, labels: dict[str, str] | None) -> Recorded:
    event = replace(recorded.event, flow_id=FlowID(flow_id))
    if isinstance(event, FlowStarted):
        event = replace(event, labels=labels or {})
    return replace(recorded, event=event)


@pytest.mark.parametrize("kind", ["place", "bucket"])
def test_what_was_backed_up_comes_back(
    source: Variables, target: Variables, kind: str, request: pytest.FixtureRequest
) -> None:
    """Logs byte for byte, lists, labels, families, digests and the catalog are as they were; active flows are due."""
    place: str = request.getfixturevalue(kind)
    before, after = Deployment(source), Deployment(target)
    before.fill()
    created = _backup(source, "create", place, "--json")
    manifest = json.loads(created.stdout)
    assert (0, 3, 1) == (created.exit_code, manifest["flows"], manifest["archived"]), created.output
    verified, restored = _backup(target, "verify", place), _backup(target, "restore", place, manifest["name"])
    assert (0, 0) == (verified.exit_code, restored.exit_code), verified.output + restored.output
    assert before.contents() == after.contents()
    assert [b"active"] == after.client.zrange(after.keys.due(), 0, -1)
    check_stores(after.config)


def test_the_latest_backup_is_meant_where_none_is_named(source: Variables, place: str) -> None:
    """Names are listed in order; without a name the last one counts."""
    Deployment(source).fill()
    for name in ("b-2", "b-1"):
        assert 0 == _backup(source, "create", place, "--name", name).exit_code
    assert ["b-1", "b-2"] == _backup(source, "list", place).stdout.split()
    assert _backup(source, "verify", place).stdout.startswith("b-2: sound: 3 flows, 1 archived ones,")


def test_a_backup_is_not_written_over_another(source: Variables, place: str) -> None:
    """If it broke off, neither would be left."""
    Deployment(source).fill()
    assert [0, 2] == [_backup(source, "create", place, "--name", "b").exit_code for _ in range(2)]
    assert 0 == _backup(source, "verify", place).exit_code


def test_only_an_empty_store_is_restored_into(source: Variables, place: str) -> None:
    """Nothing is mixed with what is there."""
    Deployment(source).fill()
    _backup(source, "create", place)
    refused = _backup(source, "restore", place)
    assert (2, True) == (refused.exit_code, "it holds something: empty it" in refused.stderr)


def test_a_restore_that_did_not_end_is_not_started_on(
    source: Variables, target: Variables, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process works on half a backup, and another restore says what to do."""
    Deployment(source).fill()
    _backup(source, "create", place)

    def break_off(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(RedisDump, "put_archived", break_off)
        assert 0 != _backup(target, "restore", place).exit_code
    with pytest.raises(Refusal, match="`argyll backup restore` has not ended"):
        check_stores(EngineConfig.from_env(target))
    again = _backup(target, "restore", place)
    assert (2, True) == (again.exit_code, "of a restore that did not end" in again.stderr)
    copied = _backup(target, "create", place, "--name", "half")
    assert (2, True) == (copied.exit_code, "part of a restore that did not end" in copied.stderr)
    assert ["half"] != _backup(target, "list", place).stdout.split()[-1:]


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "..", ".", "a\\b", ""])
def test_a_backup_has_a_name_of_one_folder(source: Variables, tmp_path: Path, name: str) -> None:
    """It lands below its place and nowhere else."""
    created = _backup(source, "create", str(tmp_path / "backups"), "--name", name)
    assert (2, True) == (created.exit_code, created.stderr.startswith("argyll: --name")), created.output
    assert ["source"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "manifest", "unfinished"])
def test_a_damaged_backup_is_found_and_not_restored(
    source: Variables, target: Variables, tmp_path: Path, damage: str
) -> None:
    """Whichever object is at fault is named, the exit code is 1, and the store stays empty."""
    Deployment(source).fill()
    place = tmp_path / "backups"
    _backup(source, "create", str(place), "--name", "b")
    part, manifest = place / "b" / "part-00001.jsonl.gz", place / "b" / "manifest.json"
    if damage == "cut":
        part.write_bytes(part.read_bytes()[:-9])
    elif damage == "changed":
        part.write_bytes(gzip.compress(gzip.decompress(part.read_bytes()).replace(b"ended", b"bended")))
    elif damage == "missing":
        part.unlink()
    elif damage == "manifest":
        manifest.write_text(manifest.read_text().replace('"flows": 3', '"flows": 4'))
    else:
        manifest.unlink()
    at_fault = "part-00001" if damage in ("cut", "changed", "missing") else "manifest"
    verified, restored = (_backup(target, verb, str(place), "b") for verb in ("verify", "restore"))
    assert (1, 1, True) == (verified.exit_code, restored.exit_code, at_fault in verified.stderr)
    assert [] == Deployment(target).client.keys()


def test_a_place_that_is_none_is_told(source: Variables) -> None:
    """Another scheme, and a place without backups."""
    wrong, empty = _backup(source, "create", "ftp://x"), _backup(source, "verify", "/no/such/place")
    assert (2, 2) == (wrong.exit_code, empty.exit_code)
    assert ("scheme 'ftp'" in wrong.stderr, "there is no backup" in empty.stderr) == (True, True)
