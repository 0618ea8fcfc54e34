# SPDX-License-Identifier: Apache-2.0
"""Which processes there are for several flow shards, and what each of them is told."""

import pytest
from click.testing import CliRunner

from argyll_api.cli import main
from argyll_api.cli.archiver import archiver_children
from argyll_api.cli.shards import served_shards, serving
from argyll_api.cli.startup import Refusal, named_stores
from argyll_api.cli.workers import Fleet, beat_child, worker_children
from argyll_engine.config import EngineConfig
from argyll_engine.errors import ConfigError
from argyll_engine.tasks.worker import make_worker_app

ENVIRONMENT = {"PARTITION_REDIS_ADDR": "a:1,redis://:secret@b:2", "X": "y"}
CONFIG = EngineConfig.from_env(ENVIRONMENT)


def test_each_shard_has_processes_of_its_own() -> None:
    """Named after it, and told of no other."""
    children = [
        child
        for served in served_shards(CONFIG, environment=ENVIRONMENT)
        for child in (
            *worker_children(served.config, Fleet(steps=1, work=1, suffix=served.suffix), served.environment),
            *archiver_children(served),
            beat_child(served),
        )
    ]
    names = [f"{kind}-s{number}" for number in (1, 2) for kind in ("steps1", "work1", "archiver", "beat")]
    assert names == [child.name for child in children]
    assert ["a:1"] * 4 + ["redis://:secret@b:2"] * 4 == [
        EngineConfig.from_env(child.environment or {}).flow_redis.addr for child in children
    ]
    assert {"y"} == {(child.environment or {})["X"] for child in children}


def test_one_shard_can_be_chosen() -> None:
    """By its number."""
    (served,) = served_shards(CONFIG, "2", ENVIRONMENT)
    assert ("-s2", "flow-2", CONFIG.shards[1]) == (served.suffix, served.name, served.config.flow_redis)
    assert (CONFIG, CONFIG.of_shard(2)) == (serving(CONFIG, "all"), serving(CONFIG, "2"))


def test_one_flow_store_is_as_it_always_was() -> None:
    """Names and environment are untouched."""
    config, environment = EngineConfig(), {"X": "y"}
    (served,) = served_shards(config, environment=environment)
    assert (config, environment, "", "") == (served.config, served.environment, served.suffix, served.name)
    assert (("engine", config.engine_redis), ("flow", config.flow_redis)) == named_stores(config)
    assert ["engine", "flow-1", "flow-2"] == [name for name, _ in named_stores(CONFIG)]


@pytest.mark.parametrize("shard", ["0", "3", "x", "-1", ""])
def test_a_shard_that_is_not_there_is_refused(shard: str) -> None:
    """With the numbers that there are."""
    with pytest.raises(Refusal, match="must be `all` or a number from 1 to 2"):
        serving(CONFIG, shard)
    said = CliRunner().invoke(main, ["worker", "--shard", "7"], env={"FLOW_REDIS_ADDR": "a:1,b:2"})
    assert (2, True) == (said.exit_code, "--shard 7" in said.output)


def test_a_worker_process_serves_one_shard() -> None:
    """Celery that was started by hand is told how to do it."""
    with pytest.raises(ConfigError, match="argyll worker"):
        make_worker_app(CONFIG)
