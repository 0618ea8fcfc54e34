# SPDX-License-Identifier: Apache-2.0
"""What the environment means, and how its faults are told."""

from dataclasses import fields, replace
from pathlib import Path
from typing import get_origin, get_type_hints

import pytest

from argyll_engine.config import EngineConfig, RedisConfig, WorkDefaults
from argyll_engine.errors import ConfigError
from argyll_engine.variables import VARIABLES

DEFAULT = EngineConfig()


def _faults(environment: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        EngineConfig.from_env(environment)
    return caught.value.faults


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing set, and everything set to an empty text, both give the defaults of the dataclass."""
    empty = {name: "" for row in VARIABLES for name in row.names}
    assert [DEFAULT, DEFAULT] == [EngineConfig.from_env({}), EngineConfig.from_env(empty)]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"API_PORT": "9000"}, {"api_port": 9000, "webhook_base_url": "http://localhost:9000"}),
        ({"ENGINE_PORT": "9000"}, {"api_port": 9000, "webhook_base_url": "http://localhost:9000"}),
        ({"API_PORT": "9000", "ENGINE_PORT": "9000"}, {"api_port": 9000, "webhook_base_url": "http://localhost:9000"}),
        (
            {"API_PORT": "9000", "WEBHOOK_BASE_URL": "https://a.example/x/"},
            {"api_port": 9000, "webhook_base_url": "https://a.example/x"},
        ),
        ({"LOG_LEVEL": "warn"}, {"log_level": "warn"}),
        ({"ENGINE_LOGGING_LEVEL": "DEBUG"}, {"log_level": "debug"}),
        ({"LOG_FORMAT": "console"}, {"log_format": "console"}),
        ({"STEP_TIMEOUT": "1"}, {"step_timeout_ms": 1}),
        ({"STEP_TIMEOUT": "31536000000"}, {"step_timeout_ms": 31_536_000_000}),
        ({"STEP_PROTOCOL": "envelope"}, {"step_protocol": "envelope"}),
        ({"STEP_UNHEALTHY": "fail"}, {"step_unhealthy": "fail"}),
        ({"RETRY_MAX_RETRIES": "3"}, {"retry": WorkDefaults(max_retries=3)}),
        ({"RETRY_INITIAL_BACKOFF": "20"}, {"retry": WorkDefaults(init_backoff_ms=20)}),
        ({"RETRY_BACKOFF_MS": "20"}, {"retry": WorkDefaults(init_backoff_ms=20)}),
        ({"RETRY_BACKOFF": "20"}, {"retry": WorkDefaults(init_backoff_ms=20)}),
        ({"RETRY_MAX_BACKOFF_MS": "2000"}, {"retry": WorkDefaults(max_backoff_ms=2000)}),
        ({"RETRY_BACKOFF_TYPE": "linear"}, {"retry": WorkDefaults(backoff_type="linear")}),
        ({"MEMO_CACHE_SIZE": "1"}, {"memo_cache_size": 1}),
        ({"ARCHIVE_MEMORY_LIMIT": "512mb"}, {"memory_limit_bytes": 536_870_912}),
        ({"ARCHIVE_MEMORY_LIMIT": "1000000"}, {"memory_limit_bytes": 1_000_000}),
        ({"TIMEBOX_CACHE_SIZE": "1024000"}, {"flow_cache_size": 1_024_000}),
        ({"FLOW_CACHE_SIZE": "7"}, {"flow_cache_size": 7}),
        ({"LOG_REDACT": "iban, card,,iban"}, {"log_redact": ("card", "iban")}),
        ({"RAFT_NODE_ID": "a-2"}, {"node_id": "a-2"}),
        ({"ENV": "staging"}, {"environment": "staging"}),
        ({"CELERY_BROKER_URL": "amqp://h//"}, {"broker_url": "amqp://h//"}),
        (
            {"RECOVERY_INTERVAL": "500ms", "RECOVERY_GRACE": "1m30s"},
            {"recovery_interval_seconds": 0.5, "recovery_grace_seconds": 90.0},
        ),
        (
            {"WORKER_LEASE": "2s", "BROKER_VISIBILITY_TIMEOUT": "24h"},
            {"worker_lease_seconds": 2.0, "visibility_timeout_seconds": 86_400.0},
        ),
        ({"CATALOG_SNAPSHOT_WORKERS": "0"}, {}),
        ({"RAFT_ADDRESS": "localhost:9701", "ARCHIVE_MAX_AGE": "1d"}, {}),  # not ours
        (
            {"ENGINE_REDIS_ADDR": "a:1", "ENGINE_REDIS_DB": "2"},
            {"engine_redis": RedisConfig(addr="a:1", db=2, prefix="argyll:engine")},
        ),
        (
            {"CATALOG_REDIS_ADDR": "a:1", "CATALOG_REDIS_PASSWORD": " p "},
            {"engine_redis": RedisConfig(addr="a:1", password=" p ", prefix="argyll:engine")},
        ),
        (
            {"PARTITION_REDIS_ADDR": "[::1]:6379", "PARTITION_REDIS_PREFIX": "x"},
            {"flow_redis": RedisConfig(addr="[::1]:6379", prefix="x")},
        ),
    ],
)
def test_a_variable_reaches_its_field(environment: dict[str, str], expected: dict[str, object]) -> None:
    """Every spelling sets the field it stands for, and nothing else."""
    assert replace(DEFAULT, **expected) == EngineConfig.from_env(environment)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ({"API_PORT": "x"}, "API_PORT='x': must be an integer from 1 to 65535"),
        ({"API_PORT": "0"}, "API_PORT='0': must be an integer from 1 to 65535"),
        ({"API_PORT": "65536"}, "API_PORT='65536': must be an integer from 1 to 65535"),
        ({"API_PORT": " 80"}, "API_PORT=' 80': must be an integer from 1 to 65535"),
        ({"API_PORT": "8_0"}, "API_PORT='8_0': must be an integer from 1 to 65535"),
        ({"ENGINE_PORT": "-1"}, "ENGINE_PORT='-1': must be an integer from 1 to 65535"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL='loud': must be one of debug, info, warn, error"),
        ({"RETRY_MAX_RETRIES": "0"}, "RETRY_MAX_RETRIES='0': must be an integer from 1 to 1000"),
        ({"RETRY_BACKOFF_TYPE": "random"}, "RETRY_BACKOFF_TYPE='random': must be one of fixed, linear, exponential"),
        ({"ARCHIVE_MEMORY_LIMIT": "much"}, "ARCHIVE_MEMORY_LIMIT='much': must be a size such as 512mb, or 0"),
        ({"MEMO_CACHE_SIZE": "0"}, "MEMO_CACHE_SIZE='0': must be an integer from 1 to 10240000"),
        ({"RECOVERY_GRACE": "30"}, "RECOVERY_GRACE='30': must be a duration from 100ms to 1h, such as 10s"),
        ({"RECOVERY_GRACE": "2h"}, "RECOVERY_GRACE='2h': must be a duration from 100ms to 1h, such as 10s"),
        (
            {"WEBHOOK_BASE_URL": "localhost:8080"},
            "WEBHOOK_BASE_URL='localhost:8080': must be an http:// or https:// URL",
        ),
        ({"ENGINE_REDIS_DB": "-1"}, "ENGINE_REDIS_DB='-1': must be an integer from 0 to 65535"),
        ({"FLOW_SNAPSHOT_WORKERS": "-1"}, "FLOW_SNAPSHOT_WORKERS='-1': must be an integer from 0 to 1024"),
        ({"RETRY_MAX_BACKOFF": "10"}, "RETRY_MAX_BACKOFF='10': must be at least RETRY_INITIAL_BACKOFF, which is 1000"),
        (
            {"API_PORT": "1", "ENGINE_PORT": "2"},
            "API_PORT='1' and ENGINE_PORT='2' disagree: set one, or both to the same",
        ),
        (
            {"FLOW_CACHE_SIZE": "1", "TIMEBOX_CACHE_SIZE": "2"},
            "FLOW_CACHE_SIZE='1' and TIMEBOX_CACHE_SIZE='2' disagree: set one, or both to the same",
        ),
    ],
)
def test_a_fault_names_variable_value_and_range(environment: dict[str, str], fault: str) -> None:
    """A value that is not allowed is told in one line."""
    assert (fault,) == _faults(environment)


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "a:1,b:2",
        "http://h:1",
        "unix://x.sock",
        "::1:6379",
        "redis://h:1,g:2",
        "redis+sentinel://h:1",
        "redis://",
    ],
)
def test_what_is_no_redis_address_is_refused(address: str) -> None:
    """An address is one host and port, or a URL of a known scheme with all it needs."""
    expected = (
        f"ENGINE_REDIS_ADDR={address!r}: must be host:port or a URL redis://, rediss://, unix:// or redis+sentinel://"
    )
    assert (expected,) == _faults({"ENGINE_REDIS_ADDR": address})


def test_all_faults_are_told_at_once() -> None:
    """Start-up fails once, with every fault, in the order of the table."""
    faults = _faults({"STEP_TIMEOUT": "x", "ENGINE_REDIS_ADDR": "y", "API_PORT": "1", "ENGINE_PORT": "2", "ENV": "z"})
    assert ["ENGINE_REDIS_ADDR='y'", "API_PORT='1'", "STEP_TIMEOUT='x'"] == [
        line.partition(" and ")[0].partition(":")[0] for line in faults
    ]


def test_no_fault_shows_a_password() -> None:
    """Passwords are hidden where two spellings disagree and inside addresses that are refused."""
    environment = {
        "FLOW_REDIS_PASSWORD": "s3cret",
        "PARTITION_REDIS_PASSWORD": "0ther",
        "FLOW_REDIS_ADDR": "x://:s3cret@h",
    }
    text = "\n".join(_faults(environment))
    assert [False, False, 3] == ["s3cret" in text, "0ther" in text, text.count("***")]


@pytest.mark.parametrize("password", ["s3/cret", "s3@cret", "s3'cret", 's3"cret', "s3 cret", "s3?#cret"])
def test_no_password_is_shown_that_should_have_been_escaped(password: str) -> None:
    """Whether the address is taken or refused for it."""
    environment = {"FLOW_REDIS_ADDR": f"redis://u:{password}@h:70000"}
    (fault,) = _faults(environment)
    assert fault.startswith("FLOW_REDIS_ADDR='redis://u:***@h:70000': must be")
    assert "redis://u:***@h" == RedisConfig(addr=f"redis://u:{password}@h").where()


def test_only_production_is_production() -> None:
    """`ENV=production` is the one value that makes unsafe stores a refusal."""
    values = ("production", "staging", "")
    assert [True, False, False] == [EngineConfig.from_env({"ENV": value}).production for value in values]


def test_every_parser_gives_the_type_of_its_field() -> None:
    """The table's parsers and the annotations of the configuration agree, default by default."""
    config = EngineConfig.from_env({})
    hints = get_type_hints(EngineConfig)
    kinds = {name: get_origin(hint) or hint for name, hint in hints.items()}
    wrong = [f.name for f in fields(config) if type(getattr(config, f.name)) is not kinds[f.name]]
    assert [] == wrong


def test_a_file_stands_for_the_variable_that_it_is_named_after(tmp_path: Path) -> None:
    """`NAME_FILE` gives the content of a file as the value, for each spelling, without its last line break."""
    secret, port = tmp_path / "password", tmp_path / "port"
    secret.write_text(" s3cret \n")
    port.write_text("9000")
    config = EngineConfig.from_env({"PARTITION_REDIS_PASSWORD_FILE": str(secret), "API_PORT_FILE": str(port)})
    assert (" s3cret ", 9000) == (config.flow_redis.password, config.api_port)


def test_an_empty_file_counts_as_not_set(tmp_path: Path) -> None:
    """A file without text leaves the default, as an empty variable does."""
    (tmp_path / "empty").write_text("\n")
    assert DEFAULT == EngineConfig.from_env({"LOG_LEVEL_FILE": str(tmp_path / "empty")})


def test_faults_of_files_name_the_file_and_not_what_is_in_it(tmp_path: Path) -> None:
    """A file that is missing, holds no such value, or disagrees with its variable is told by its path."""
    port, missing = tmp_path / "port", tmp_path / "missing"
    port.write_text("s3cret")
    environment = {
        "API_PORT_FILE": str(port),
        "LOG_LEVEL_FILE": str(missing),
        "FLOW_REDIS_PASSWORD": "0ther",
        "FLOW_REDIS_PASSWORD_FILE": str(port),
    }
    assert (
        f"FLOW_REDIS_PASSWORD='***' and FLOW_REDIS_PASSWORD_FILE='{port}' disagree: set one, or both to the same",
        f"API_PORT_FILE='{port}': must be an integer from 1 to 65535",
        f"LOG_LEVEL_FILE='{missing}': cannot be read: No such file or directory",
    ) == _faults(environment)


def test_files_for_tls_need_tls(tmp_path: Path) -> None:
    """Certificates without `rediss://`, a key without its certificate, and a file that is not there are faults."""
    (tmp_path / "key.pem").touch()
    key, missing = str(tmp_path / "key.pem"), str(tmp_path / "ca.pem")
    assert (
        f"ENGINE_REDIS_CA_PATH='{missing}': must be a file that is there (PEM)",
        "FLOW_REDIS_KEY_PATH: without effect, for FLOW_REDIS_ADDR='redis://u:***@h:1' is not rediss://",
        "FLOW_REDIS_KEY_PATH: of no use without FLOW_REDIS_CERT_PATH",
    ) == _faults({"FLOW_REDIS_ADDR": "redis://u:p@h:1", "FLOW_REDIS_KEY_PATH": key, "ENGINE_REDIS_CA_PATH": missing})


def test_the_secrets_are_all_passwords() -> None:
    """Passwords of variables and of addresses, as written and as meant, are known as secrets."""
    environment = {
        "ENGINE_REDIS_PASSWORD": "one",
        "FLOW_REDIS_ADDR": "redis://u:t%40wo@h:1",
        "CELERY_BROKER_URL": "amqp://u:three@h//",
    }
    assert ("one", "t%40wo", "t@wo", "three") == EngineConfig.from_env(environment).secrets


def test_several_flow_stores_are_numbered_in_their_order() -> None:
    """All with the same prefix and password; each address may have its own."""
    config = EngineConfig.from_env(
        {"FLOW_REDIS_ADDR": "a:1, redis://u:p,w@b:2 ,redis+sentinel://x:1,y:2/main", "FLOW_REDIS_PASSWORD": "pass"}
    )
    addresses = ["a:1", "redis://u:p,w@b:2", "redis+sentinel://x:1,y:2/main"]
    assert (addresses, True) == ([shard.addr for shard in config.shards], config.is_sharded)
    assert [("pass", "argyll:flow")] * 3 == [(shard.password, shard.prefix) for shard in config.shards]
    assert ("a:1", {"pass", "p,w"}) == (config.flow_redis.addr, set(config.secrets))
    second = config.of_shard(2)
    assert (addresses[1], False, ("flow-2", "flow")) == (
        second.flow_redis.addr,
        second.is_sharded,
        (config.flow_store_name(2), second.flow_store_name(1)),
    )


def test_one_flow_store_has_no_shards() -> None:
    """And is the only one."""
    assert (False, (), (DEFAULT.flow_redis,)) == (DEFAULT.is_sharded, DEFAULT.flow_shards, DEFAULT.shards)
    assert DEFAULT == DEFAULT.of_shard(1)


@pytest.mark.parametrize(
    ("addresses", "again"),
    [
        ("h:1,h:1", "h:1"),
        ("h:6379,redis://:p@h,g:1", "redis://:***@h"),
        ("redis://h/2,rediss://u:p@h:6379/2", "rediss://u:***@h:6379/2"),
        ("unix:///s?db=0,unix:///s", "unix:///s"),
        ("redis+sentinel://a:1,b:2/m,redis+sentinel://b:2,a:1/m/0", "redis+sentinel://b:2,a:1/m/0"),
    ],
)
def test_no_flow_store_is_named_twice(addresses: str, again: str) -> None:
    """However it is spelled; databases of one Redis are different stores."""
    expected = f"FLOW_REDIS_ADDR: {again!r} is there already, perhaps in another spelling"
    assert (expected,) == _faults({"FLOW_REDIS_ADDR": addresses})
    assert 2 == len(EngineConfig.from_env({"FLOW_REDIS_ADDR": "redis://h/1,redis://h/2"}).shards)


@pytest.mark.parametrize("addresses", ["a:1,", "a:1,,b:2", "a:1,b", "a:1,redis+sentinel://b:2", "a:1 b:2", "a:1;b:2"])
def test_what_is_no_list_of_addresses_is_refused(addresses: str) -> None:
    """Each of them has to be one."""
    (fault,) = _faults({"FLOW_REDIS_ADDR": addresses})
    assert fault.endswith("redis+sentinel://, or several of them, separated by commas")


def test_only_flows_have_several_stores_and_each_is_its_own_broker() -> None:
    """There is one catalog, and no other broker takes part in the commits of several stores."""
    (fault,) = _faults({"FLOW_REDIS_ADDR": "a:1,b:2", "CELERY_BROKER_URL": "amqp://h//"})
    assert fault.startswith("CELERY_BROKER_URL: not with several addresses in FLOW_REDIS_ADDR")
    (fault,) = _faults({"ENGINE_REDIS_ADDR": "a:1,b:2"})
    assert fault.startswith("ENGINE_REDIS_ADDR='a:1,b:2': must be host:port")
