# SPDX-License-Identifier: Apache-2.0
"""A private RabbitMQ node of Debian's package on ports of its own, and what lies in its queues.

It listens on the loopback only, keeps everything in one folder, and starts a port mapper of its own, so that nothing is
left when it is killed. Called by `stack.py` for stacks whose broker is RabbitMQ.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any

from kombu import Connection

from tests.acceptance.client import eventually
from tests.acceptance.part import Part, base_environment, free_port

INSTALLED = Path("/usr/lib/rabbitmq")
START_SECONDS = 120.0
STARTED = b"Server startup complete"


def server_program() -> Path | None:
    """The script that starts a server as who we are; None where Debian's package is not installed.

    The one on PATH is a wrapper that changes the user and wants the system's own folders.
    """
    return next(iter(sorted(INSTALLED.glob("lib/rabbitmq_server-*/sbin/rabbitmq-server"))), None)


class RabbitPart(Part):
    """A RabbitMQ node that can be killed and started again; its queues are durable."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        program = server_program()
        assert program is not None, "rabbitmq-server is not installed"
        self.port, mapper_port = free_port(), free_port()
        self._server_log = folder / "rabbit.log"
        (folder / "enabled_plugins").write_text("[].\n")
        mapper = {"ERL_EPMD_PORT": str(mapper_port), "ERL_EPMD_ADDRESS": "127.0.0.1", "HOME": str(folder)}
        node = {
            "RABBITMQ_NODENAME": f"argyll-{os.getpid()}-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        environment = base_environment() | mapper
        super().__init__((str(program),), environment | node, self._server_log)
        argv = ("epmd", "-address", "127.0.0.1", "-port", str(mapper_port))
        self._mapper = Part(argv, environment, folder / "epmd.log")

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        if self.is_running:
            return
        seen = self._started()
        self._mapper.start()
        super().start()
        eventually("a start of RabbitMQ", lambda: self._started() > seen and self._accepts(), START_SECONDS)

    def kill(self) -> None:
        """End it and its port mapper at once; what its queues hold is on the disk."""
        super().kill()
        self._mapper.kill()

    def _started(self) -> int:
        return self._server_log.read_bytes().count(STARTED) if self._server_log.exists() else 0

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class RabbitQueues:
    """The queues of a RabbitMQ node; see `Queues`. What a worker has taken comes back when its connection ends."""

    def __init__(self, url: str) -> None:
        self._url = url

    def lose(self, *queues: str) -> int:
        """See `Queues`."""
        with Connection(self._url) as connection:
            channel: Any = connection.default_channel
            return sum(channel.queue_purge(queue) for queue in queues)

    def forget_deliveries(self, *queues: str) -> None:
        """See `Queues`. They come back by themselves from workers that have gone, and that is all one can have."""

    def is_idle(self, *queues: str) -> bool:
        """See `Queues`. Who asks is not told of messages that were taken, so this looks twice with a pause."""
        if self._waiting(queues):
            return False
        time.sleep(0.5)
        return not self._waiting(queues)

    def take(self, queue: str) -> bool:
        """See `Queues`."""
        with Connection(self._url) as connection:
            channel: Any = connection.default_channel
            return channel.basic_get(queue, no_ack=True) is not None

    def _waiting(self, queues: tuple[str, ...]) -> int:
        with Connection(self._url) as connection:
            channel: Any = connection.default_channel
            return sum(channel.queue_declare(queue, passive=True).message_count for queue in queues)
