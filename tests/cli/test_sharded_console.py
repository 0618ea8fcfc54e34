# SPDX-License-Identifier: Apache-2.0
"""Commands that look at all flow shards: each shard is a database of one Redis here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from argyll_api.cli import main
from argyll_api.cli.startup import check_stores
from argyll_archiver.wiring import archiver_config, build_access, build_archiver
from argyll_engine.config import EngineConfig
from argyll_engine.model.ids import FlowID, Name, StepID, flow_stream
from argyll_engine.model.listing import FlowQuery
from argyll_engine.policy.placement import home_of
from argyll_engine.ports import LoadRequest
from argyll_engine.store.connect import connect
from argyll_engine.store.keys import Keys
from argyll_engine.store.sharded.opening import open_flow_stores
from argyll_engine.wiring import build_engine
from tests.cli.test_backup import Deployment, Variables
from tests.contract.redis_server import RedisServer
from tests.definitions import a_script_step, lua, output, required

NAMES = ("active", "ended", "ended:a:t")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a Redis with room for several deployments."""
    server = RedisServer(tmp_path)
    server.start()
    yield server.config().addr
    server.stop()


def _variables(address: str, engine: int, *shards: int) -> Variables:
    """Of a deployment on these databases."""
    return {
        "ENGINE_REDIS_ADDR": f"{address}?db={engine}",
        "FLOW_REDIS_ADDR": ",".join(f"{address}?db={shard}" for shard in shards),
        "RECOVERY_INTERVAL": "100ms",
        "LOG_LEVEL": "error",
    }


def _run(variables: Variables, *words: str) -> Result:
    return CliRunner(env=variables).invoke(main, words)


def test_flows_are_spread_over_shards_by_a_backup(address: str, tmp_path: Path) -> None:
    """And come back from there: what was on one Redis is on several, each flow at home, and nobody looks elsewhere."""
    source, target = _variables(address, 0, 0), _variables(address, 1, 2, 3, 4)
    before = Deployment(source)
    before.fill()
    place = str(tmp_path / "backups")
    assert 0 == _run(source, "backup", "create", place, "--name", "one").exit_code
    restored = _run(target, "backup", "restore", place, "one")
    assert 0 == restored.exit_code, restored.output

    config = EngineConfig.from_env(target)
    check_stores(config)
    after = open_flow_stores(config)
    assert before.index.query(FlowQuery()) == after.index.query(FlowQuery())
    assert before.contents()["logs"] == {name: after.flows.read_log(flow_stream(name)) for name in NAMES}
    (old,) = after.flows.load([LoadRequest(stream_id=flow_stream("old"))])
    assert (True, (FlowID("ended:a:t"),)) == (old.digest is not None, after.archive.family([FlowID("ended")])[0])
    identities = [shard.identity() for shard in config.shards]
    for name in ("active", "ended", "old"):
        with connect(config.shards[identities.index(home_of(name, identities))]) as client:
            assert client.hexists(Keys(config.flow_redis.prefix).statuses(), name)
    with connect(config.engine_redis) as client:
        assert [json.dumps(sorted(identities), separators=(",", ":")).encode()] == list(
            client.smembers(Keys(config.engine_redis.prefix).layouts())  # type: ignore[arg-type]
        )

    created = _run(target, "backup", "create", place, "--name", "several", "--json")
    manifest = json.loads(created.stdout)
    assert (3, 1) == (manifest["flows"], manifest["archived"])
    assert 0 == _run(target, "backup", "verify", place, "several").exit_code


def test_each_shard_is_examined(address: str) -> None:
    """What is wrong with one is said with its name, what is wrong with all once."""
    variables = _variables(address, 1, 2, 3)
    with connect(EngineConfig.from_env(variables).shards[1]) as client:
        client.hset(Keys("argyll:flow").schema(), mapping={"version": 10_000, "needs": 10_000})
    told = _run(variables, "doctor", "--json", "--patience", "0.1")
    found = json.loads(told.stdout)
    own = {finding["check"] for finding in found if finding["check"].startswith("flow-")}
    assert (1, True) == (told.exit_code, any(check.startswith("flow-2: ") for check in own))
    shared = [finding["check"] for finding in found if finding["check"] not in own]
    assert ("workers" in shared, len(set(shared))) == (True, len(shared)), found


def test_every_shard_is_migrated(address: str) -> None:
    """Each with its own line."""
    told = _run(_variables(address, 1, 2, 3), "migrate")
    assert ["engine", "flow-1", "flow-2"] == [line.split()[0] for line in told.stdout.splitlines()]


def test_dead_letters_are_those_of_all_shards(address: str) -> None:
    """Single ones are named with their shard, for ids are of one."""
    variables = _variables(address, 1, 2, 3)
    assert "0 dead letters" == _run(variables, "dead-letters", "list").stdout.strip()
    assert "0 dropped" == _run(variables, "dead-letters", "drop", "steps", "--all").stdout.strip()
    assert "0 dropped" == _run(variables, "dead-letters", "drop", "steps", "1-0", "--shard", "2").stdout.strip()
    refused = _run(variables, "dead-letters", "drop", "steps", "1-0")
    assert (2, True) == (refused.exit_code, "--shard" in refused.output)


def test_flows_expire_on_each_shard_by_themselves(address: str, tmp_path: Path) -> None:
    """Each shard records its own, once."""
    variables = _variables(address, 1, 2, 3)
    variables |= {"ARCHIVE_BUCKET_URL": f"file://{tmp_path}/archive", "ARCHIVE_RETENTION": "1ms"}
    config, archiving = EngineConfig.from_env(variables), archiver_config(variables)
    engine = build_engine(config, archive=build_access(archiving))
    engine.register_step(a_script_step("boil", {"n": required(), "out": output()}, script=lua("return {out = 1}")))
    flow_ids = [FlowID(f"f{number}") for number in range(8)]
    for flow_id in flow_ids:
        # its goal is satisfied by what it starts with, so it has ended when it has started
        engine.start_flow(flow_id, (StepID("boil"),), {Name("out"): ("x",)}, {})
    archivers = [build_archiver(config.of_shard(number), archiving) for number in (1, 2)]
    counts = [sum(map(archiver.archive, flow_ids)) for archiver in archivers]
    assert (True, len(flow_ids)) == (all(counts), sum(counts))

    assert "8 flows would expire" in _run(variables, "archive", "expire", "--dry-run").stdout
    assert "8 flows expired\n" == _run(variables, "archive", "expire").stdout
    records = [json.loads(line) for line in _run(variables, "archive", "audit", "--json").stdout.splitlines()]
    assert counts == [int(record["flows"]) for record in records]
