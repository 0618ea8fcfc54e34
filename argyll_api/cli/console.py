# SPDX-License-Identifier: Apache-2.0
"""How the lines of several processes share one terminal. Called by `up.py` and `workers.py`."""

import sys
from itertools import count
from typing import Final

from argyll_api.cli.supervisor import Output

NAME_WIDTH: Final = 7

_COLOURS: Final = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # ANSI foregrounds that can be told apart


def line_printer(format_name: str) -> Output:
    """A function that prints a child's line: under its name for people, as it is when lines are JSON."""
    plain, coloured = format_name == "json", sys.stdout.isatty()
    numbers, colours = count(), dict[str, int]()

    def write(name: str, line: bytes) -> None:
        if plain:
            _write(line)
            return
        if not line.strip():
            return
        head = f"{name:<{NAME_WIDTH}} |"
        if coloured:
            colour = colours.setdefault(name, _COLOURS[next(numbers) % len(_COLOURS)])
            head = f"\x1b[{colour}m{head}\x1b[0m"
        _write(head.encode() + b" " + line)

    return write


def _write(line: bytes) -> None:
    try:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except OSError:
        # Nobody reads any more (a closed pipe or terminal); the children matter more than their lines.
        return
