# SPDX-License-Identifier: Apache-2.0
"""A folder in which the processes of one command keep what they count, so that one of them can show the sum.

It is in memory where the machine has such a file system: a full disk must not stop a worker. Used by the commands that
start processes; each has a folder of its own, which goes with it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from argyll_engine import log
from argyll_engine.metrics.signs import FOLDER_VARIABLE

IN_MEMORY: Final = "/dev/shm"
_PREFIX: Final = "argyll-metrics-"
_LOCK: Final = "lock"
_EFFECT: Final = "each process counts for itself, and processes that hang are not noticed"
_log = log.get(__name__)


@contextmanager
def metrics_folder() -> Iterator[str]:
    """The folder, named in this process's environment; empty where there is no place for one.

    Must be entered before anything counts: values are kept where the environment says at that moment.
    """
    try:
        root = _root()
        _clear(root)
        nascent = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=root))
    except OSError as exc:
        _log.warning("metrics_not_shared", reason=str(exc), effect=_EFFECT)
        yield ""
        return
    with (nascent / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Only now can it be found: nobody takes it for one that a killed command has left.
        folder = nascent.rename(nascent.with_name(nascent.name.removeprefix(".")))
        os.environ[FOLDER_VARIABLE] = str(folder)
        try:
            yield str(folder)
        finally:
            os.environ.pop(FOLDER_VARIABLE, None)
            shutil.rmtree(folder, ignore_errors=True)


def note_restart(process: str, cause: str) -> None:
    """Counts that a child was started again."""
    # Late: most commands count nothing, and the library chooses where it keeps values when it is first loaded.
    from argyll_engine.metrics.instruments import CHILD_RESTARTS
    from argyll_engine.metrics.places import count_in_folder

    count_in_folder()  # the metrics may have been made before there was a folder
    CHILD_RESTARTS.labels(process, cause).inc()


def _root() -> str:
    return IN_MEMORY if os.access(IN_MEMORY, os.W_OK | os.X_OK) else tempfile.gettempdir()


def _clear(root: str) -> None:
    """Removes what killed commands have left: their locks are free."""
    for folder in Path(root).glob(f"{_PREFIX}*"):
        try:
            with (folder / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # somebody's who lives, or of another user
            continue
