# SPDX-License-Identifier: Apache-2.0
"""A whole Argyll of real processes on ports of its own, whose parts can be killed and started again.

They are `argyll api`, `argyll beat` and one `argyll worker` for each kind of worker; to kill a worker is to kill its
supervisor too, which would start it again at once. Redis keeps an append-only file.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from argyll_engine.config import EngineConfig
from argyll_engine.store.connect import connect
from argyll_engine.tasks.app import make_celery
from tests.acceptance.client import Client, eventually
from tests.acceptance.part import Part, base_environment, free_port
from tests.acceptance.queues import ListQueues, Queues, QueuesOfShards, StreamQueues
from tests.acceptance.rabbit import RabbitPart, RabbitQueues
from tests.contract.redis_server import bundled_server

SHARDS_VARIABLE = "ARGYLL_TEST_SHARDS"
"""How many flow shards each stack has, each a Redis of its own; without it flows are where the catalog is."""
LEASE_SECONDS = 2.0
"""Long enough for a busy machine to refresh it in time."""
GRACE_SECONDS = 1.0
INTERVAL_SECONDS = 0.5
BROKER_VARIABLE = "ARGYLL_TEST_BROKER"
"""`redis` runs the suite on Celery's stock Redis transport, `rabbitmq` on a RabbitMQ node for each stack; the default
is our own transport."""
STEPS, WORK = "steps", "work"
WORKERS = (STEPS, WORK)
"""The kinds of workers, called like the queues that they serve."""


class RedisPart(Part):
    """A redis-server on a Unix socket, with an append-only file that is synced every second."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.socket = folder / "redis.sock"
        options = {"port": "0", "unixsocket": str(self.socket), "dir": str(folder), "save": "", "daemonize": "no"}
        options |= {"appendonly": "yes", "appendfsync": "everysec"}
        argv = (str(bundled_server()), *(word for name, value in options.items() for word in (f"--{name}", value)))
        super().__init__(argv, base_environment(), folder / "redis.log")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        super().start()
        with Redis(unix_socket_path=str(self.socket)) as client:
            eventually("an answer of Redis", lambda: _answers(client))

    def lose_everything(self) -> None:
        """Forget all that was kept; only while it is not running."""
        (self.folder / "appendonly.aof").unlink(missing_ok=True)


class Stack:
    """Redis, API, workers and beat, running within a `with` block. What a test has killed, `mend` starts again."""

    def __init__(
        self, folder: Path, broker: RedisPart | None = None, shards: int | None = None, **variables: str
    ) -> None:
        self.redis = RedisPart(folder / "redis")
        self.broker: RedisPart | RabbitPart | None = broker
        if broker is None and os.environ.get(BROKER_VARIABLE) == "rabbitmq":
            self.broker = RabbitPart(folder / "rabbit")
        count = shards if shards is not None else int(os.environ.get(SHARDS_VARIABLE, "0"))
        self.shards = tuple(RedisPart(folder / f"shard{number}") for number in range(1, count + 1))
        environment = base_environment() | self._variables(folder) | variables
        self.config = EngineConfig.from_env(environment)
        self.log = folder / "argyll.log"
        self.api = Part(_argyll("api", "--threads", "8"), environment, self.log)
        self.workers = {
            STEPS: Part(_argyll("worker", "--steps", "1", "--work", "0"), environment, self.log),
            WORK: Part(_argyll("worker", "--steps", "0", "--work", "1"), environment, self.log),
        }
        self.beat = Part(_argyll("beat"), environment, self.log)
        self.client = Client(f"http://127.0.0.1:{self.config.api_port}")

    def _variables(self, folder: Path) -> dict[str, str]:
        address = f"unix://{self.redis.socket}"
        return self._broker_variables() | {
            "ENGINE_REDIS_ADDR": address,
            "FLOW_REDIS_ADDR": ",".join(f"unix://{shard.socket}" for shard in self.shards) or address,
            "API_HOST": "127.0.0.1",
            "API_PORT": str(free_port()),
            "WORKER_LEASE": f"{LEASE_SECONDS}s",
            "RECOVERY_GRACE": f"{GRACE_SECONDS}s",
            "RECOVERY_INTERVAL": f"{INTERVAL_SECONDS}s",
            "ARGYLL_DATA_DIR": str(folder),
        }

    def _broker_variables(self) -> dict[str, str]:
        if isinstance(self.broker, RabbitPart):
            return {"CELERY_BROKER_URL": self.broker.url}
        if self.broker:
            return {"CELERY_BROKER_URL": f"redis+socket://{self.broker.socket}"}
        if os.environ.get(BROKER_VARIABLE) == "redis":
            return {"CELERY_BROKER_URL": f"redis+socket://{self.redis.socket}?virtual_host=0"}
        return {}

    def __enter__(self) -> Self:
        try:
            self.mend()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- verbs ----

    def mend(self) -> None:
        """Start whatever does not run, and wait until the API answers."""
        for server in filter(None, (self.redis, self.broker, *self.shards)):
            server.start()
        for part in (self.api, *self.workers.values(), self.beat):
            part.start()
        eventually("an answer of the API", lambda: serves(self.client))

    def kill_worker(self, *names: str) -> None:
        """Kill these worker processes, or all."""
        for name in names or WORKERS:
            self.workers[name].kill()

    def start_worker(self, *names: str) -> None:
        """Start these worker processes, or all."""
        for name in names or WORKERS:
            self.workers[name].start()

    @contextmanager
    def replaced_worker(self, name: str) -> Iterator[Callable[[], None]]:
        """A worker process hangs, at most until the end of the block, and another one is there; what ends the hang."""
        worker, twin = self.workers[name], self.workers[name].twin()
        worker.pause()
        twin.start()
        try:
            yield worker.resume
        finally:
            worker.resume()
            twin.stop()

    @contextmanager
    def second_api(self, **variables: str) -> Iterator[Client]:
        """A client of one more API process that serves, on a port of its own and with more variables."""
        port = str(free_port())
        part = Part(self.api.argv, {**self.api.environment, "API_PORT": port, **variables}, self.log)
        part.start()
        client = Client(f"http://127.0.0.1:{port}")
        try:
            eventually("an answer of the second API", lambda: serves(client))
            yield client
        finally:
            part.stop()

    def kill_redis(self) -> None:
        """Kill the Redis of both stores, and those of the shards."""
        for server in (self.redis, *self.shards):
            server.kill()

    def lose_everything(self) -> None:
        """Forget all that the stores kept; only while they are not running."""
        for server in (self.redis, *self.shards):
            server.lose_everything()

    def start_redis(self) -> None:
        """Start them again with what they kept."""
        for server in (self.redis, *self.shards):
            server.start()

    def stop(self) -> None:
        """End all, the servers last."""
        for part in (self.beat, self.api, *self.workers.values()):
            part.stop()
        for server in filter(None, (self.redis, self.broker, *self.shards)):
            server.kill()

    # ---- looking inside ----

    @contextmanager
    def engine_redis(self) -> Iterator[Redis]:
        """A client of the engine store's Redis."""
        with connect(self.config.engine_redis) as client:
            yield client

    @contextmanager
    def flow_redis(self) -> Iterator[Redis]:
        """A client of the flow store's Redis; of several the first."""
        with connect(self.config.flow_redis) as client:
            yield client

    @contextmanager
    def broker_redis(self) -> Iterator[Redis]:
        """A client of the Redis that holds the queues."""
        assert not isinstance(self.broker, RabbitPart)
        with Redis(unix_socket_path=str((self.broker or self.redis).socket)) as client:
            yield client

    @property
    def queues(self) -> Queues:
        """What lies in the broker."""
        if isinstance(self.broker, RabbitPart):
            return RabbitQueues(self.broker.url)
        if self.broker:
            return ListQueues(self.broker_redis, "")
        if self.shards:
            opened = [partial(connect, shard) for shard in self.config.shards]
            return QueuesOfShards([StreamQueues(client, self.config.queue_key_prefix) for client in opened])
        kind = StreamQueues if self.config.on_streams else ListQueues
        return kind(self.broker_redis, self.config.queue_key_prefix)

    def lose_messages(self, *queues: str) -> int:
        """How many messages of these queues were dropped, as a broker does that forgets."""
        return self.queues.lose(*queues)

    def forget_deliveries(self) -> None:
        """Let the broker forget what workers had taken and not acknowledged."""
        self.queues.forget_deliveries(*WORKERS)

    def has_idle_queues(self, *queues: str) -> bool:
        """Whether these queues are empty, and every work item that a worker has taken from one is done."""
        return self.queues.is_idle(*queues)

    @property
    def due_key(self) -> str:
        """Where flows are listed by when recovery looks at them."""
        return f"{{{self.config.flow_redis.prefix}}}:due"

    def due_at_ms(self, flow_id: str) -> float | None:
        """When recovery looks at a flow again; every look moves it."""
        scores: list[Any] = []
        for shard in self.config.shards:
            with connect(shard) as client:
                scores.append(client.zscore(self.due_key, flow_id))
        return next((float(score) for score in scores if score is not None), None)

    def await_looks(self, flow_id: str, count: int) -> None:
        """Wait until recovery has looked at a flow so many times."""
        seen = {self.due_at_ms(flow_id)}

        def has_looked() -> bool:
            seen.add(self.due_at_ms(flow_id))
            return len(seen) > count

        eventually(f"{count} looks at {flow_id}", has_looked)

    @contextmanager
    def celery(self) -> Iterator[Celery]:
        """The Celery app of the configuration, to publish with."""
        app = make_celery(self.config)
        yield app
        app.close()


def _argyll(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "argyll_api.cli", *words)


def serves(client: Client) -> bool:
    """Whether the API and what is behind it answer."""
    try:
        stores = client.get("/engine/step"), client.post("/engine/flow/query", {"limit": 1})
        return client.get("/health").status == 200 and all(answer.status == 200 for answer in stores)
    except OSError:
        return False


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
