# SPDX-License-Identifier: Apache-2.0
"""Which files of the shared folder a process counts in: those that a dead process of the same name has left.

The library names them by process id, so that each restart would leave some more. Here each process has a place, which
is its name under the supervisor and the lowest number that no living process has; a lock says who lives. Whoever takes
a place goes on with its counts, so that sums never fall, and begins its gauges anew. Called when metrics are made.
"""

import fcntl
import json
import os
import re
import time
from itertools import count
from pathlib import Path
from typing import IO, Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from argyll_engine.metrics.signs import FOLDER_VARIABLE, NAME_VARIABLE

LOCK_SUFFIX: Final = ".place"
TRIES: Final = 3
PAUSE_SECONDS: Final = 0.01
"""Whoever shows the metrics holds a lock for a moment, to see whether it is free."""

_GAUGE: Final = re.compile(r"gauge_[a-z]+_(?P<place>.+)\.db")
_COUNTS: Final = ("counter", "histogram")


class _Own:
    """The place of this process; none until it is asked for."""

    def __init__(self) -> None:
        self.name = ""
        self.number = 0
        self.lock: IO[str] | None = None

    def leave(self) -> None:
        """Forget the place without giving it up: a forked process finds one of its own, and its parent stays."""
        if self.lock is not None:
            self.lock.close()
        self.name, self.number, self.lock = "", 0, None


_own: Final = _Own()
os.register_at_fork(after_in_child=_own.leave)


def count_in_folder() -> bool:
    """Whether this process counts in a folder, which its environment names; asked before the first metric is made."""
    if FOLDER_VARIABLE in os.environ and not _own.name:
        # The library has no types for this part of it.
        values.ValueClass = values.MultiProcessValue(place)  # type: ignore[no-untyped-call]
    return bool(_own.name)


def place() -> str:
    """What the files of this process are called by. Asked for each time that something is counted."""
    return _own.name or _claim(os.environ[FOLDER_VARIABLE], os.environ.get(NAME_VARIABLE, ""))


def number() -> int:
    """Which of the living processes of its name this is, from 1; 0 if it counts in no folder."""
    return _own.number


def kept_labels(label: str) -> set[str]:
    """The values of a label in the files of this process, its predecessors' among them; none without a folder."""
    if not _own.name:
        return set()
    paths = [Path(os.environ.get(FOLDER_VARIABLE, ""), f"{kind}_{_own.name}.db") for kind in _COUNTS]
    found = set()
    for path in filter(Path.exists, paths):
        for key, *_ in MmapedDict.read_all_values_from_file(path):  # type: ignore[no-untyped-call]  # as above
            _, _, labels, _ = json.loads(key)
            found.add(labels.get(label, ""))
    return found - {""}


def shown_files(folder: str) -> list[str]:
    """The files to add up: all but the gauges of those who have ended."""
    return [str(path) for path in sorted(Path(folder).glob("*.db")) if not _is_left(path)]


def _is_left(path: Path) -> bool:
    """Whether a file is of gauges of a process that has ended."""
    gauge = _GAUGE.fullmatch(path.name)
    if gauge is None:
        return False
    try:
        with path.with_name(gauge["place"] + LOCK_SUFFIX).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
    except OSError:  # it lives, or has no place in our sense
        return False


def _claim(folder: str, name: str) -> str:
    """Takes the first free place of a name, with what it has counted and without its gauges."""
    stem = re.sub(r"[^A-Za-z0-9-]", "-", name) or "process"
    for candidate in count(1):
        lock = _locked(Path(folder, f"{stem}-{candidate}{LOCK_SUFFIX}"))
        if lock is not None:
            _own.name, _own.number, _own.lock = f"{stem}-{candidate}", candidate, lock
            for gauges in Path(folder).glob(f"gauge_*_{_own.name}.db"):
                gauges.unlink()
            break
    return _own.name


def _locked(path: Path) -> IO[str] | None:
    """The file, locked for as long as this process lives; None if another has it."""
    lock = path.open("w")
    for _ in range(TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            time.sleep(PAUSE_SECONDS)
    lock.close()
    return None
