# SPDX-License-Identifier: Apache-2.0
"""Signs of life: a small file a process, which changes for as long as the process gets somewhere.

A supervisor gives each child a folder and a name; it reads the files, and starts a child again whose file stays the
same, or says that the child is stuck. The files also say which process is which for the metrics of memory. No Redis is
asked here.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Final

from argyll_engine import log as logs
from argyll_engine.metrics.processes import Process, look_at

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes of one supervisor keep their values and signs. Source: prometheus-client, multiprocess mode."""
NAME_VARIABLE: Final = "ARGYLL_PROCESS"
"""What a supervisor calls a child."""
SUFFIX: Final = ".sign"
EVERY_SECONDS: Final = 1.0

log = logs.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What a file says: whose it is, something that changes, and why the process is stuck; empty if it is not."""

    name: str
    pid: int
    beat: str
    trouble: str = ""


def path_of(folder: str, name: str) -> Path:
    """The file of a process."""
    return Path(folder) / f"{name}{SUFFIX}"


def read_sign(path: Path) -> Sign | None:
    """What a file says; None while there is none."""
    try:
        pid, beat, trouble = path.read_text(encoding="utf-8").split("\n", 2)
        return Sign(name=path.stem, pid=int(pid), beat=beat, trouble=trouble)
    except (OSError, ValueError):
        return None


def write_sign(folder: str, name: str, beat: str, trouble: str = "") -> None:
    """Writes the file of this process; whoever reads it sees the old text or the new."""
    path = path_of(folder, name)
    beside = path.with_suffix(".new")
    beside.write_text(f"{os.getpid()}\n{beat}\n{trouble}", encoding="utf-8")
    beside.replace(path)


def processes(folder: str, own_name: str) -> Iterator[Process]:
    """What the kernel says of the processes that have signed in a folder, and of this one under `own_name`."""
    signs = map(read_sign, sorted(Path(folder).glob(f"*{SUFFIX}"))) if folder else iter(())
    signed = [(sign.name, sign.pid) for sign in signs if sign is not None]
    own = [] if os.getpid() in (pid for _, pid in signed) else [(own_name, os.getpid())]
    for name, pid in (*signed, *own):
        process = look_at(name, pid)
        if process is not None:
            yield process


class Signer:
    """Signs once a second, in a thread, with what it is told.

    Args:
        look: gives what has changed since, and the trouble if there is one. It must not wait for long.
    """

    def __init__(self, folder: str, name: str, look: Callable[[], tuple[str, str]]) -> None:
        self._folder, self._name, self._look = folder, name, look
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="sign-of-life", daemon=True)

    def start(self, **_signal: object) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, **_signal: object) -> None:
        """End; the file stays as it is."""
        self._stopping.set()

    def _run(self) -> None:
        while True:
            try:
                write_sign(self._folder, self._name, *self._look())
            except OSError as exc:
                log.warning("sign_of_life_failed", error=str(exc))
            except Exception:  # this loop must live: without signs its process would be ended
                log.exception("sign_of_life_failed")
            if self._stopping.wait(EVERY_SECONDS):
                return
