# SPDX-License-Identifier: Apache-2.0
"""The configuration of engine, workers and API as one frozen value. Nothing here reads `os.environ`.

`EngineConfig.from_env(mapping)` is called by the entry points (the CLI, `argyll_api/wsgi.py`,
`argyll_engine/tasks/worker.py`); everybody else is handed the result. The variables are in `variables.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from argyll_engine.address import RedisConfig, split_addresses
from argyll_engine.errors import ConfigError
from argyll_engine.log import SERVICE, Context, Settings, no_context
from argyll_engine.model.step import WorkDefaults
from argyll_engine.variables import VARIABLES

PRODUCTION: Final = "production"
DEFAULT_API_PORT: Final = 8080

__all__ = ["EngineConfig", "RedisConfig", "WorkDefaults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Everything that can be set from outside; the defaults are those of the environment.

    `broker_url` empty means our transport on the flow store's Redis (`flow_redis.streams_url()`). Of several flow
    stores `flow_shards` has all, and `flow_redis` is the first; else it is empty.
    """

    engine_redis: RedisConfig = RedisConfig(prefix="argyll:engine")
    flow_redis: RedisConfig = RedisConfig(prefix="argyll:flow")
    flow_shards: tuple[RedisConfig, ...] = ()
    broker_url: str = field(default="", repr=False)
    visibility_timeout_seconds: float = 3_600.0
    api_host: str = "0.0.0.0"
    api_port: int = DEFAULT_API_PORT
    webhook_base_url: str = f"http://localhost:{DEFAULT_API_PORT}"
    max_webhook_bytes: int = 4 * 1_048_576
    max_plan_bytes: int = 4 * 1_048_576
    max_start_batch_bytes: int = 16 * 1_048_576
    feed_max_length: int = 10_000
    max_socket_buffer_bytes: int = 8 * 1_048_576
    max_wait_seconds: float = 300.0
    log_level: str = "info"
    log_format: str = "json"
    log_redact: tuple[str, ...] = ()
    environment: str = ""
    node_id: str = "argyll-1"
    step_timeout_ms: int = 30_000
    step_protocol: str = "bare"
    step_unhealthy: str = "hold"
    max_step_response_bytes: int = 16 * 1_048_576
    retry: WorkDefaults = WorkDefaults()
    flow_cache_size: int = 4_096
    memo_cache_size: int = 4_096
    work_threads: int = 32
    worker_lease_seconds: float = 15.0
    worker_metrics_port: int = 0
    worker_stuck_after_seconds: float = 60.0
    ready_max_queue_age_seconds: float = 60.0
    health_check_interval_seconds: float = 30.0
    recovery_interval_seconds: float = 10.0
    recovery_grace_seconds: float = 15.0
    script_timeout_ms: int = 1_000
    script_memory_mb: int = 64
    script_max_steps: int = 100_000_000
    script_max_result_bytes: int = 16 * 1_048_576
    memory_limit_bytes: int = 0
    data_dir: str = "./var"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every password of the configuration, for those who write texts that must have none."""
        broker = RedisConfig(addr=self.broker_url).secrets
        flows = (secret for shard in self.shards for secret in shard.secrets)
        return tuple(sorted({*self.engine_redis.secrets, *flows, *broker}))

    @property
    def is_one_redis(self) -> bool:
        """Whether engine store and flow store are known to be on one Redis."""
        return not self.is_sharded and replace(self.engine_redis, prefix=self.flow_redis.prefix) == self.flow_redis

    @property
    def is_sharded(self) -> bool:
        """Whether there are several flow stores."""
        return bool(self.flow_shards)

    @property
    def shards(self) -> tuple[RedisConfig, ...]:
        """Every flow store, in the order in which they are numbered from 1."""
        return self.flow_shards or (self.flow_redis,)

    def of_shard(self, number: int) -> "EngineConfig":
        """The configuration of who serves one flow store alone, as if there were no other; the first is number 1."""
        return replace(self, flow_redis=self.shards[number - 1], flow_shards=())

    def flow_store_name(self, number: int) -> str:
        """What people call a flow store."""
        return f"flow-{number}" if self.is_sharded else "flow"

    def log_settings(self, service: str = SERVICE, context: Context = no_context) -> Settings:
        """How the log lines of a process look, for `log.configure`."""
        return Settings(
            level=self.log_level,
            format_name=self.log_format,
            service=service,
            environment=self.environment,
            secrets=self.secrets,
            redacted=self.log_redact,
            context=context,
        )

    @property
    def production(self) -> bool:
        """Whether `ENV` says production, where an unsafe Redis is refused instead of warned about."""
        return self.environment == PRODUCTION

    @property
    def queue_key_prefix(self) -> str:
        """What goes before every key of the broker when that is on the flow store's Redis: the flow store's hash tag,
        so that a commit may write to the queues."""
        return f"{{{self.flow_redis.prefix}}}:celery:"

    @property
    def on_streams(self) -> bool:
        """Whether the broker is our transport on the flow store's Redis, the default."""
        return self.broker_url in ("", self.flow_redis.streams_url())

    def streams_url(self) -> str:
        """The URL of our transport; empty when another broker is named."""
        if self.on_streams:
            return self.flow_redis.streams_url()
        return self.broker_url if self.broker_url.startswith(("redis-streams", "rediss-streams")) else ""

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "EngineConfig":
        """The configuration that these variables describe; an empty value counts as not set.

        Raises:
            ConfigError: With every fault at once, one line each: variable, value, what is allowed.

        Source: the contract, http §8 and ops §1.1–1.3.
        """
        faults: list[str] = []
        read = {row.name: row.read(environment, faults) for row in VARIABLES}
        fields = _nested({row.field: read[row.name] for row in VARIABLES if row.field})
        retry = WorkDefaults(**fields.pop("retry"))
        if retry.max_backoff_ms < retry.init_backoff_ms:
            faults.append(
                f"RETRY_MAX_BACKOFF='{retry.max_backoff_ms}': must be at least RETRY_INITIAL_BACKOFF, "
                f"which is {retry.init_backoff_ms}"
            )
        engine_redis, flows = RedisConfig(**fields.pop("engine_redis")), fields.pop("flow_redis")
        shards = [RedisConfig(**(flows | {"addr": addr})) for addr in split_addresses(flows["addr"])]
        faults += _tls_faults("ENGINE", engine_redis) + [
            fault for shard in shards for fault in _tls_faults("FLOW", shard)
        ]
        faults += _shard_faults(shards, fields["broker_url"])
        if faults:
            raise ConfigError(faults)
        fields["webhook_base_url"] = fields["webhook_base_url"] or f"http://localhost:{fields['api_port']}"
        several = tuple(shards) if len(shards) > 1 else ()
        return cls(engine_redis=engine_redis, flow_redis=shards[0], flow_shards=several, retry=retry, **fields)


def _shard_faults(shards: Sequence[RedisConfig], broker_url: str) -> list[str]:
    """What is wrong with several flow stores."""
    identities = [shard.identity() for shard in shards]
    again = [shard.where() for n, shard in enumerate(shards) if shard.identity() in identities[:n]]
    faults = [f"FLOW_REDIS_ADDR: {address!r} is there already, perhaps in another spelling" for address in again]
    if len(shards) > 1 and broker_url:
        faults.append(
            "CELERY_BROKER_URL: not with several addresses in FLOW_REDIS_ADDR: each of them is the broker of its flows"
        )
    return faults


def _tls_faults(name: str, redis: RedisConfig) -> list[str]:
    """What is wrong with the files for TLS of one Redis."""
    paths = {"CA_PATH": redis.ca_path, "CERT_PATH": redis.cert_path, "KEY_PATH": redis.key_path}
    given = [f"{name}_REDIS_{suffix}" for suffix, path in paths.items() if path]
    faults = []
    if given and not redis.is_tls:
        faults.append(f"{', '.join(given)}: without effect, for {name}_REDIS_ADDR={redis.where()!r} is not rediss://")
    if redis.key_path and not redis.cert_path:
        faults.append(f"{name}_REDIS_KEY_PATH: of no use without {name}_REDIS_CERT_PATH")
    return faults


def _nested(flat: Mapping[str, object]) -> dict[str, Any]:
    """The values by field; `retry.max_retries` becomes an entry of the dict under `retry`.

    `Any` because the table's parsers decide the types; `tests/unit/test_config.py` holds them against the
    fields.
    """
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        outer, _, inner = path.partition(".")
        if inner:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[outer] = value
    return nested
