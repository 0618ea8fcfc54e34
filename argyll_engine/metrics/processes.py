# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of processes, on Linux; elsewhere nothing is known. Called by `gauges.py`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_UNLIMITED: Final = 1 << 60
"""Older kernels say a very large number for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process at one moment."""

    name: str
    memory_bytes: int
    cpu_seconds: float
    open_files: int


def look_at(name: str, pid: int) -> Process | None:
    """A process as the kernel sees it; None when it is gone, or where there is no /proc."""
    folder = _PROC / str(pid)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        # The name of the program stands in brackets and may hold anything. Source: proc(5), fields 14 and 15.
        words = (folder / "stat").read_text().rpartition(")")[2].split()
        ticks = int(words[11]) + int(words[12])
        files = len(os.listdir(folder / "fd"))
    except (OSError, ValueError, IndexError):
        return None
    return Process(
        name=name,
        memory_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
        open_files=files,
    )


def memory_limit_bytes() -> int | None:
    """The memory that these processes may use: that of the container, else of the machine; None if nobody knows."""
    for path in _CGROUP_LIMITS:
        try:
            limit = int(path.read_text())
        except (OSError, ValueError):
            continue
        if limit < _UNLIMITED:
            return limit
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
