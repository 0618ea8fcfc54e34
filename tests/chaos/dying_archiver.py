# SPDX-License-Identifier: Apache-2.0
"""An archiver that kills itself with -9 at a stage: `python -m tests.chaos.dying_archiver SOCKET TARGET STAGE`."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from redis import Redis

from argyll_archiver.sinks.opening import open_sink
from argyll_archiver.sinks.port import ObjectEntry, Sink
from argyll_archiver.target import parse_target
from argyll_engine.model.digest import FlowDigest
from argyll_engine.store.archive_jobs import RedisArchiveJobs
from tests.chaos.archive_flows import PREFIX, Flows

STAGES: Final = ("before_put", "after_put", "before_delete", "after_delete")
AT: Final = 3
"""The death comes with this object, so that some are written before it."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingSink:
    """A sink that is the last thing its process does."""

    def __init__(self, sink: Sink, stage: str) -> None:
        self._sink, self._stage, self._count = sink, stage, 0

    def put(self, key: str, body: bytes) -> bool:
        """Dies before or after it."""
        self._count += 1
        if self._stage == "before_put" and self._count == AT:
            _die()
        confirmed = self._sink.put(key, body)
        if self._stage == "after_put" and self._count >= AT:
            _die()
        return confirmed

    def get(self, key: str) -> bytes | None:
        """As it is."""
        return self._sink.get(key)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        """As it is."""
        return self._sink.list(prefix, after)

    def delete(self, key: str) -> None:
        """As it is."""
        self._sink.delete(key)


class DyingJobs(RedisArchiveJobs):
    """Dies before or after the logs of a batch are replaced."""

    stage = ""

    def replace(self, owner: str, digests: Sequence[FlowDigest]) -> Sequence[bool]:
        """Some of them, and then the end."""
        if self.stage == "before_delete":
            _die()
        done: Any = super().replace(owner, digests[:2] if self.stage == "after_delete" else digests)
        if self.stage == "after_delete":
            _die()
        return done


def main(socket: str, target: str, stage: str) -> None:
    """Archives all there is, and dies."""
    client = Redis(unix_socket_path=socket)
    jobs = DyingJobs(client, PREFIX)
    jobs.stage = stage
    Flows(client, {}).archiver(DyingSink(open_sink(parse_target(target)), stage), jobs).sweep()


if __name__ == "__main__":
    main(*sys.argv[1:])
