# SPDX-License-Identifier: Apache-2.0
"""What processes and a Redis have used so far, read from /proc and INFO; differences are what a measurement cost.

Linux only. The readings cost next to nothing: one file a process and a few commands.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
COUNTERS = ("total_commands_processed", "total_reads_processed", "total_net_input_bytes", "total_net_output_bytes")


def processes_below(pid: int) -> tuple[int, ...]:
    """The processes that a process has started, and those that they have."""
    found: tuple[int, ...] = ()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            continue
        for child in map(int, children):
            found += (child, *processes_below(child))
    return found


def name_of(command_line: str) -> str:
    """What a process of ours is called: `redis`, `api`, `steps1`, `beat` and so on."""
    words = command_line.split("\0")
    program = words[0].partition(" ")[0].rpartition("/")[2]
    if program.startswith(("redis-", "valkey-")):  # a child that rewrites its file too
        return "redis"
    for flag in ("-n", "-Q"):  # worker1@host; a worker without a name goes by its queues
        if flag in words:
            return words[words.index(flag) + 1].partition("@")[0]
    for word in ("beat", "api", "archiver", "up"):
        if word in words:
            return word
    return "python" if "python" in program else program


def cpu_seconds(stat: str) -> float:
    """Processor time of a process in user and kernel mode, from its line in /proc. Source: proc(5)."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process at one moment."""

    name: str
    cpu_seconds: float
    resident_bytes: int


def look(pid: int) -> Process | None:
    """The process as it is now; None when it is gone."""
    place = Path(f"/proc/{pid}")
    try:
        name = name_of((place / "cmdline").read_text())
        resident = int((place / "statm").read_text().split()[1]) * PAGE_BYTES
        return Process(name=name, cpu_seconds=cpu_seconds((place / "stat").read_text()), resident_bytes=resident)
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None


def tree(pid: int) -> tuple[Process, ...]:
    """A process and all below it."""
    return tuple(filter(None, map(look, (pid, *processes_below(pid)))))


def cpu_by_name(processes: tuple[Process, ...]) -> dict[str, float]:
    """Seconds of processor time by name."""
    found: dict[str, float] = {}
    for process in processes:
        found[process.name] = found.get(process.name, 0.0) + process.cpu_seconds
    return found


def resident_by_name(processes: tuple[Process, ...]) -> dict[str, int]:
    """Resident bytes of the largest process of each name."""
    found: dict[str, int] = {}
    for process in processes:
        found[process.name] = max(found.get(process.name, 0), process.resident_bytes)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUse:
    """Counters of a Redis: how often it was asked, what went in and out, what it holds."""

    commands: int
    reads: int
    bytes_in: int
    bytes_out: int
    memory_bytes: int
    file_bytes: int


def redis_use(client: Redis) -> RedisUse:
    """The counters now. Reading them is five commands in one round trip."""
    with client.pipeline(transaction=False) as pipeline:
        for section in ("stats", "memory", "persistence"):
            pipeline.info(section)
        stats, memory, persistence = pipeline.execute()
    return parse_use(stats | memory | persistence)


def parse_use(info: Mapping[str, Any]) -> RedisUse:
    """The counters of an INFO; a server without an append-only file has no size of it."""
    commands, reads, bytes_in, bytes_out = (int(info[name]) for name in COUNTERS)
    return RedisUse(
        commands=commands,
        reads=reads,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        memory_bytes=int(info["used_memory"]),
        file_bytes=int(info.get("aof_current_size", 0)),
    )


def per_unit(before: RedisUse, after: RedisUse, units: int) -> dict[str, float]:
    """What each of so many units cost."""
    return {name: (getattr(after, name) - getattr(before, name)) / units for name in RedisUse.__slots__}


def cpu_ms_per_unit(before: Mapping[str, float], after: Mapping[str, float], units: int) -> dict[str, float]:
    """Milliseconds of processor time that each unit cost each process; those that were there at the end."""
    return {name: (used - before.get(name, 0.0)) * 1000 / units for name, used in sorted(after.items())}
