# SPDX-License-Identifier: Apache-2.0
"""An archiver whose directory is full, for real: `python -m tests.chaos.full_disk SOCKET FOLDER disk|limit`.

With `disk` the folder is a file system of its own, nearly filled here; with `limit` the kernel lets no file of this
process grow. Prints, as JSON, what was found while there was no room and after there was some again.
"""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from redis import Redis

from argyll_archiver.sinks.file import FileSink
from argyll_archiver.target import FileTarget
from argyll_engine.model.ids import FlowID
from argyll_engine.store.archive_jobs import RedisArchiveJobs
from argyll_engine.store.keys import Keys
from tests.acceptance.client import eventually
from tests.chaos.archive_flows import PREFIX, Flows

BLOCK_BYTES: Final = 4_096
FREE_BLOCKS: Final = 3
"""Room for so many objects on the disk."""
MOST_BYTES: Final = 100
"""Of a file under the limit; every object is larger."""


@contextmanager
def no_room(folder: Path, how: str) -> Iterator[None]:
    """Within the block hardly anything, or nothing, can be written."""
    if how == "limit":
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, before[1]))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * BLOCK_BYTES)
        except OSError:
            file.truncate(file.tell() // BLOCK_BYTES * BLOCK_BYTES - FREE_BLOCKS * BLOCK_BYTES)
    yield
    ballast.unlink()


def main(socket: str, folder: str, how: str) -> None:
    """Archives what it can, and all when there is room again."""
    client = Redis(unix_socket_path=socket)
    names: dict[bytes, bytes] = client.hgetall(Keys(PREFIX).statuses())  # type: ignore[assignment]  # sync
    ids = sorted(FlowID(name.decode()) for name in names)
    flows = Flows(client, dict(zip(ids, RedisArchiveJobs(client, PREFIX).logs(ids), strict=True)))
    place = Path(folder)
    sink = FileSink(FileTarget(directory=str(place / "archive")))
    archiver = flows.archiver(sink)
    with no_room(place, how):
        archiver.sweep()
        found = {"faults": flows.faults(sink), "archived": len(flows.archived())}
        found["left_over"] = [path.name for path in place.rglob(".put-*")]

    def is_done() -> bool:
        archiver.finish()
        archiver.sweep()
        return len(flows.archived()) == len(ids)

    eventually("the archive of all flows", is_done)
    print(json.dumps({"full": found, "then": {"faults": flows.faults(sink), "archived": len(flows.archived())}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
