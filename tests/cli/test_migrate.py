# SPDX-License-Identifier: Apache-2.0
"""`argyll migrate`, and what the form of a store means for starting processes."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from argyll_api.cli import main
from argyll_api.cli.startup import Refusal, check_stores
from argyll_engine.config import EngineConfig
from argyll_engine.store.connect import connect
from argyll_engine.store.keys import Keys
from argyll_engine.store.schema import SCHEMA, StoreSchema
from tests.contract.redis_server import RedisServer


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables that name a Redis with nothing in it."""
    server = RedisServer(tmp_path)
    server.start()
    address = server.config().addr
    yield {"ENGINE_REDIS_ADDR": address, "FLOW_REDIS_ADDR": address, "LOG_LEVEL": "error"}
    server.stop()


def _migrate(environment: dict[str, str], *words: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["migrate", *words])


def _make_old(config: EngineConfig) -> None:
    with connect(config.flow_redis) as client:
        client.hset(Keys(config.flow_redis.prefix).statuses(), mapping={"a": "completed", "a:s:t": "completed"})


def test_a_new_deployment_needs_no_migration(environment: dict[str, str]) -> None:
    """The first start gives empty stores their form, and there is nothing to do."""
    check_stores(EngineConfig.from_env(environment))
    result = _migrate(environment)
    expected = [f"{name} store: schema {SCHEMA}, nothing to do" for name in ("engine", "flow")]
    assert (0, expected) == (result.exit_code, result.stdout.splitlines())


def test_an_old_store_is_refused_until_it_is_migrated(environment: dict[str, str]) -> None:
    """Starting says what to run; a dry run says what would change; afterwards processes start."""
    config = EngineConfig.from_env(environment)
    _make_old(config)
    with pytest.raises(Refusal, match="flow store: its schema is 1, and 2 is needed: run `argyll migrate`"):
        check_stores(config)
    title = "schema 2: note the children of each flow, for archiving"
    tried, done = _migrate(environment, "--dry-run"), _migrate(environment)
    assert (f"flow store: {title}: would change 1", f"flow store: {title}: changed 1") == (
        tried.stdout.splitlines()[1],
        done.stdout.splitlines()[1],
    )
    check_stores(config)


def test_a_store_of_a_newer_version_is_refused(environment: dict[str, str]) -> None:
    """Neither a process nor a migration touches what it does not know."""
    config = EngineConfig.from_env(environment)
    with connect(config.flow_redis) as client:
        StoreSchema(client, config.flow_redis.prefix, "flow").mark(SCHEMA + 1, SCHEMA + 1)
    with pytest.raises(Refusal, match="flow store: a newer version of Argyll has migrated it to schema 3"):
        check_stores(config)
    result = _migrate(environment)
    assert (2, True) == (result.exit_code, "a newer version of Argyll has migrated it (schema 3)" in result.stderr)


def test_a_store_that_is_away_is_told(environment: dict[str, str]) -> None:
    """Without an answer the exit code says that another try may help."""
    result = _migrate(environment | {"ENGINE_REDIS_ADDR": "unix:///no/such.sock"})
    assert (click.ClickException.exit_code, True) == (result.exit_code, "unix:///no/such.sock" in result.stderr)
