# SPDX-License-Identifier: Apache-2.0
"""`argyll ale`: piped programs, and a conversation on a real terminal."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from argyll_api.cli.ale import ale
from argyll_api.cli.ale_console import help_text
from argyll_engine.scripting.ale.reference import reference_page

PATIENCE_SECONDS = 60.0
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
os.execv(sys.executable, (sys.executable, "-m", "argyll_api.cli", "ale"))
"""


def piped(source: str, *options: str):
    """Click's result for a program on stdin."""
    return CliRunner().invoke(ale, options, input=source)


def test_a_piped_program_prints_the_value_of_each_form():
    """Definitions are there for the forms after them, and the exit code is 0."""
    result = piped("(define x 3)\n[x (+ x 4)] (str x)")
    assert (0, '3\n[3 7]\n"3"\n') == (result.exit_code, result.stdout)


def test_a_piped_program_that_fails_exits_with_1():
    """The values before the fault are printed; the fault comes with its place and its form."""
    result = piped("(inc 1)\n  (inc amount)")
    assert (1, "2\n") == (result.exit_code, result.stdout)
    assert "Error: name not declared: amount at line 2, column 8: amount\n" == result.stderr


def test_limits_hold_for_each_form():
    """The message names the limit."""
    result = piped("(last! (range))", "--timeout-ms", "50")
    assert (1, "Error: script exceeded its time limit of 50 ms") == (result.exit_code, result.stderr[:46])


def test_a_lazy_sequence_is_shown_by_its_first_elements():
    """An endless one has an end on the screen."""
    assert "(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 …)\n()\n" == piped("(range) (take 0 [1])").stdout


def test_the_reference_is_the_page():
    """`make docs` writes what this prints."""
    assert reference_page() == piped("", "--reference").stdout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("map", "(map procedure values more*)\n  procedure\n  What the procedure gives"),
        ("if", "(if test then [otherwise])\n  special form\n"),
        ("cond", "(cond [test expression]*)\n  macro\n"),
        ("foldl", "(foldl procedure [start] values)\n  procedure\n"),
        ("println", "not available to scripts: println"),
        ("nowhere", "nothing built in is called nowhere"),
    ],
)
def test_help(name, expected):
    """Says how a name is used, what it is and what it gives."""
    assert help_text(name).startswith(expected)


class Terminal:
    """`argyll ale` on a terminal of its own."""

    def __init__(self, state: Path) -> None:
        self._end, other = pty.openpty()
        environment = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "dumb", "INPUTRC": os.devnull}
        self.process = subprocess.Popen(
            (sys.executable, "-c", ON_TERMINAL), stdin=other, stdout=other, stderr=other, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(other)

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._end, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C when what was typed is being read or evaluated; Python misses one right after a prompt."""
        time.sleep(0.5)
        self.type("\x03")

    def read_until(self, pattern: str) -> str:
        """What is printed up to a pattern."""
        printed, deadline = "", time.monotonic() + PATIENCE_SECONDS
        while not re.search(pattern, printed):
            ready, _, _ = select.select([self._end], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} was not printed, but {printed!r}"
            printed += os.read(self._end, 65_536).decode()
        return printed

    def close(self) -> None:
        """End it, if it has not ended."""
        os.close(self._end)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A conversation that has begun."""
    found = Terminal(tmp_path)
    found.read_until(r"ale> ")
    yield found
    found.close()


def test_a_conversation(terminal: Terminal, tmp_path: Path):
    """Forms over several lines, definitions made anew, errors, help and Ctrl-C; the lines are kept."""
    terminal.type("(define (twice x)\r")
    terminal.read_until(r"\.\.\.> ")
    terminal.type("  (* 2 x))\r")
    terminal.read_until(r"ale> ")
    terminal.type("(define (twice x) (+ x x 0.0))\r(twice 21)\r")
    terminal.read_until(r"42\.0\r\n.*ale> ")
    terminal.type("(twice :a)\r")
    terminal.read_until(r"Error: got keyword.*ale> |Error: got keyword[^>]*ale> ")
    terminal.type("(help fold-left)\r")
    terminal.read_until(r"also: foldl reduce\r\n.*ale> ")
    terminal.type("(length! (range))\r")
    terminal.interrupt()
    terminal.read_until(r"interrupted\r\n.*ale> ")
    terminal.type("(unfinished\r")
    terminal.read_until(r"\.\.\.> ")
    terminal.interrupt()
    terminal.read_until(r"ale> ")
    terminal.type("(seq->ve\t [7])\r")
    terminal.read_until(r"\[7\]\r\n.*ale> ")
    terminal.type("\x04")
    assert 0 == terminal.process.wait(PATIENCE_SECONDS)
    kept = (tmp_path / "argyll" / "ale_history").read_text("utf-8").splitlines()
    assert ("(define (twice x)", "(seq->vector [7])") == (kept[0], kept[-1].replace("  ", " "))
