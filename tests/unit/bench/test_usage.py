# SPDX-License-Identifier: Apache-2.0
"""Reading what processes and Redis have used."""

import os
import time

import pytest

from bench.usage import (
    TICKS_PER_SECOND,
    Process,
    cpu_by_name,
    cpu_ms_per_unit,
    cpu_seconds,
    look,
    name_of,
    parse_use,
    per_unit,
    resident_by_name,
)

INFO = {
    "total_commands_processed": 1_000,
    "total_reads_processed": 400,
    "total_net_input_bytes": 50_000,
    "total_net_output_bytes": 20_000,
    "used_memory": 1_000_000,
}


@pytest.mark.parametrize(
    ("command_line", "name"),
    [
        ("/usr/bin/redis-server unixsocket:/tmp/redis.sock", "redis"),
        ("redis-aof-rewrite unixsocket:/tmp/x/redis.sock", "redis"),
        ("/x/python\0-P\0-m\0argyll_api.cli\0api\0", "api"),
        ("/x/python\0-P\0-m\0argyll_api.cli\0up\0--work\x001\0", "up"),
        ("/x/python\0-m\0celery\0-A\0a:app\0worker\0-n\0steps2@box\0-Q\0steps\0", "steps2"),
        ("/x/python\0-m\0celery\0-A\0a:app\0beat\0-S\0x\0", "beat"),
        ("/x/python\0-m\0bench.service\x009\0", "python"),
        ("/usr/bin/epmd\0-port\x009\0", "epmd"),
    ],
)
def test_names(command_line: str, name: str) -> None:
    """Processes are called what people call them."""
    assert name == name_of(command_line)


def test_cpu_of_a_process_whose_name_has_brackets() -> None:
    """Fields are counted from the last bracket: user and system time, in ticks."""
    fields = " ".join(["S", *["0"] * 10, str(3 * TICKS_PER_SECOND), str(TICKS_PER_SECOND), "0"])
    assert 4.0 == cpu_seconds(f"7 (a) b (c) {fields}")


def test_a_process_is_seen() -> None:
    """This one has a size, and its processor time grows with what it does."""
    before = look(os.getpid())
    while time.process_time() < 0.05:
        sum(range(1_000))
    after = look(os.getpid())
    assert before is not None
    assert after is not None
    assert (True, True) == (after.resident_bytes > 1_000_000, after.cpu_seconds >= before.cpu_seconds)


def test_a_process_that_is_gone_is_none() -> None:
    """Looking at it is no error."""
    assert look(2**22 + 1) is None


def test_processes_of_one_name() -> None:
    """Their time is added; of their memory the largest counts."""
    processes = (
        Process(name="api", cpu_seconds=1.0, resident_bytes=10),
        Process(name="api", cpu_seconds=2.0, resident_bytes=30),
        Process(name="redis", cpu_seconds=0.5, resident_bytes=20),
    )
    assert ({"api": 3.0, "redis": 0.5}, {"api": 30, "redis": 20}) == (
        cpu_by_name(processes),
        resident_by_name(processes),
    )


def test_what_a_flow_costs() -> None:
    """Differences by the number of flows; a server without an append-only file has no bytes of it."""
    before = parse_use(INFO)
    after = parse_use({name: value * 2 for name, value in INFO.items()} | {"aof_current_size": 5_000})
    wanted = {"commands": 10.0, "reads": 4.0, "bytes_in": 500.0, "bytes_out": 200.0, "memory_bytes": 10_000.0}
    assert wanted | {"file_bytes": 50.0} == per_unit(before, after, 100)
    assert {"api": 5.0, "new": 10.0} == cpu_ms_per_unit({"api": 1.0}, {"api": 1.5, "new": 1.0}, 100)
