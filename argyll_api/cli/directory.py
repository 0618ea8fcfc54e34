# SPDX-License-Identifier: Apache-2.0
"""The data directory of `argyll up`, and the lock that says whether a live one holds it.

The lock is the kernel's (`flock`), so it is gone with its holder however that ended; its file holds the
holder's pid for `argyll down`. Called by `up.py`.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from argyll_api.cli.startup import Refusal

LOCK_NAME: Final = "up.lock"
DOWN_PATIENCE_SECONDS: Final = 60.0


@contextmanager
def hold(path: str) -> Iterator[Path]:
    """The directory, made if need be and held until the context is left.

    Raises:
        Refusal: It is held by a live `argyll up`, or cannot be made or written.
    """
    directory = Path(path).absolute()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(directory / LOCK_NAME, "a+", encoding="ascii")  # noqa: SIM115 - entered below
    except OSError as exc:
        raise Refusal(f"data directory {path}: {exc.strerror} (ARGYLL_DATA_DIR)") from exc
    with lock:
        if not _try_lock(lock):
            raise Refusal(
                f"data directory {path} is held by a running `argyll up` (pid {_read_pid(lock)}): "
                "stop it with `argyll down`, or set ARGYLL_DATA_DIR"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield directory


def stop_holder(path: str) -> int | None:
    """The pid of the `argyll up` that held the directory and has now ended, or None when nobody held it.

    Raises:
        Refusal: It may not be signalled, or did not end in time.
    """
    try:
        lock = open(Path(path) / LOCK_NAME, "r+", encoding="ascii")  # noqa: SIM115 - entered below
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise Refusal(f"data directory {path}: {exc.strerror} (ARGYLL_DATA_DIR)") from exc
    with lock:
        if _try_lock(lock):
            return None
        pid = int(_read_pid(lock) or "0")
        _ask_to_stop(pid)
        deadline = time.monotonic() + DOWN_PATIENCE_SECONDS
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise Refusal(f"`argyll up` (pid {pid}) did not stop within {DOWN_PATIENCE_SECONDS:.0f} seconds")
            time.sleep(0.05)
        return pid


def _ask_to_stop(pid: int) -> None:
    try:
        if pid > 0:
            os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as exc:
        raise Refusal(f"`argyll up` (pid {pid}) belongs to another user") from exc


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip()
