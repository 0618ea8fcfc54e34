# SPDX-License-Identifier: Apache-2.0
"""The supervisor with small real children: what they print, how they are restarted and stopped."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from argyll_api.cli.patience import Patience
from argyll_api.cli.supervisor import ChildSpec, Supervisor

SLEEPER = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit()); print('up', flush=True); time.sleep(60)"
LAST_WORDS = """
import os, signal, sys, time
signal.signal(15, lambda *_: (time.sleep(0.1), os.write(1, b"end\\n"), sys.exit()))
print("up", flush=True)
time.sleep(60)
"""
FRAGMENTS = """
import os, signal, sys, time
signal.signal(15, lambda *_: (os.write(1, b"end"), sys.exit()))
sys.stdout.write("a"); sys.stdout.flush()
print("b", flush=True)
print("ä", file=sys.stderr, flush=True)
time.sleep(60)
"""
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


class Lines:
    """Collects what children print; a probe for `wait_until` counts it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, name: str, line: bytes) -> None:
        """Takes a line."""
        self.seen.append((name, line.decode()))

    def has(self, count: int) -> Callable[[], bool]:
        """A probe: whether this many lines were seen; fails the test when they take too long."""
        deadline = time.monotonic() + 20

        def probe() -> bool:
            assert time.monotonic() < deadline, f"only {self.seen}"
            return len(self.seen) >= count

        return probe


def _python(name: str, code: str, stop_rank: int = 0, grace_seconds: float = 10.0) -> ChildSpec:
    return ChildSpec(
        name=name, argv=(sys.executable, "-S", "-c", code), stop_rank=stop_rank, grace_seconds=grace_seconds
    )


def test_lines_arrive_whole_under_their_name() -> None:
    """Output and errors come line by line; a last line without an end comes too."""
    lines = Lines()
    with Supervisor(lines) as supervisor:
        supervisor.start(_python("one", FRAGMENTS))
        supervisor.wait_until(lines.has(2))
    assert [("one", "ab"), ("one", "ä"), ("one", "end")] == lines.seen


def test_children_stop_in_the_order_of_their_ranks() -> None:
    """A rank is asked to stop only when the ranks before it have ended."""
    lines = Lines()
    with Supervisor(lines) as supervisor:
        for name, rank in (("last", 2), ("first", 0), ("middle", 1)):
            supervisor.start(_python(name, LAST_WORDS, rank))
        supervisor.wait_until(lines.has(3))
    assert [("first", "end"), ("middle", "end"), ("last", "end")] == lines.seen[3:]


def test_a_child_that_does_not_stop_is_killed() -> None:
    """After its grace a child is killed, and leaving the context does not hang."""
    lines = Lines()
    with Supervisor(lines) as supervisor:
        supervisor.start(_python("stubborn", STUBBORN, grace_seconds=0.2))
        supervisor.wait_until(lines.has(1))
        started_at = time.monotonic()
    assert 0.2 < time.monotonic() - started_at < 5


def test_a_dead_child_is_started_again() -> None:
    """A child that ended is back after a pause, as another process."""
    lines = Lines()
    with Supervisor(lines) as supervisor:
        supervisor.start(_python("brief", "import os; print(os.getpid())"))
        supervisor.wait_until(lines.has(2))
        assert 1 <= supervisor.deaths("brief")
    assert 2 == len({line for _, line in lines.seen[:2]})


@pytest.mark.parametrize(("given", "arenas"), [(None, "2"), ({}, "2"), ({"MALLOC_ARENA_MAX": "7"}, "7")])
def test_children_keep_little_memory(given: dict[str, str] | None, arenas: str) -> None:
    """The allocator is told so, unless the environment of a child tells it something else."""
    lines = Lines()
    spec = ChildSpec(
        name="child",
        argv=(sys.executable, "-S", "-c", "import os; print(os.environ.get('MALLOC_ARENA_MAX'), flush=True)"),
        environment=given,
    )
    with Supervisor(lines) as supervisor:
        supervisor.start(spec)
        supervisor.wait_until(lines.has(1))
    assert ("child", arenas) == lines.seen[0]


def test_a_refusal_ends_everything_with_its_code() -> None:
    """Exit code 2 of a child is not retried: the others are stopped and the supervisor gives 2."""
    lines = Lines()
    with Supervisor(lines) as supervisor:
        supervisor.start(_python("sleeper", SLEEPER))
        supervisor.wait_until(lines.has(1))
        supervisor.start(_python("refuses", "raise SystemExit(2)"))
        assert 2 == supervisor.run()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run(number: signal.Signals) -> None:
    """SIGTERM, SIGINT and SIGHUP end the run with code 0, and the handlers before are back afterwards."""
    lines, found = Lines(), signal.signal(number, signal.default_int_handler)  # under nohup SIGHUP is ignored
    try:
        with Supervisor(lines) as supervisor:
            supervisor.start(_python("sleeper", SLEEPER))
            supervisor.wait_until(lines.has(1))
            os.kill(os.getpid(), number)
            assert 0 == supervisor.run()
        assert signal.default_int_handler == signal.getsignal(number)
    finally:
        signal.signal(number, found)


def test_children_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    """When the supervisor's process is killed with -9, its child is gone too."""
    note = tmp_path / "pid"
    if os.fork() == 0:
        with Supervisor(Lines()) as supervisor:
            supervisor.start(
                _python(
                    "orphan", f"import os, time; open({str(note)!r}, 'w').write(f'{{os.getpid()}}.'); time.sleep(60)"
                )
            )
            supervisor.wait_until(lambda: note.exists() and note.read_text().endswith("."))
            os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
    child, deadline = Path("/proc") / note.read_text().strip("."), time.monotonic() + 10
    while child.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.exists()


SIGNING = """
import os, signal, sys, time
from pathlib import Path
signal.signal(15, lambda *_: sys.exit())
print("up", flush=True)
for beat in range(600):
    path = Path(sys.argv[1])
    path.with_suffix(".new").write_text(f"{os.getpid()}\\n{beat}\\n")
    path.with_suffix(".new").replace(path)
    time.sleep(0.1)
"""


def test_a_child_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    """It is halted from outside; the supervisor hears nothing of it, loses patience, and says that it was stuck."""
    lines, restarts = Lines(), list[tuple[str, str]]()
    path = tmp_path / "child.sign"
    spec = ChildSpec(
        name="child",
        argv=(sys.executable, "-S", "-c", SIGNING, str(path)),
        patience=Patience(path, 3.0),
    )
    with Supervisor(lines, lambda *said: restarts.append(said)) as supervisor:
        supervisor.start(spec)
        supervisor.wait_until(lambda: not supervisor.unwell())
        halted = int(path.read_text().split("\n")[0])
        os.kill(halted, signal.SIGSTOP)
        supervisor.wait_until(lines.has(2))
        supervisor.wait_until(lambda: not supervisor.unwell())
        assert halted != int(path.read_text().split("\n")[0])
    assert [("child", "stuck")] == restarts
