# SPDX-License-Identifier: Apache-2.0
"""Commands that look at all flow shards: each shard is a database of one Redis here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from argyll_api.cli import main
from argyll_api.cli.startup import check_stores
from argyll_engine.config import EngineConfig
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.model.listing import FlowQuery
from argyll_engine.policy.placement import home_of
from argyll_engine.ports import LoadRequest
from argyll_engine.store.connect import connect
from argyll_engine.store.keys import Keys
from argyll_engine.store.sharded.opening import open_flow_stores
from tests.cli.test_backup import Deployment, Variables
from tests.contract.redis_server import RedisServer

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
