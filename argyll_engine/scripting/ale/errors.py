# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with an Ale text, and where in it. Everybody in this package raises these; nothing else leaves it.

AleError
├── AleCompileError   the text is no program: reading, expanding or compiling it failed
│   └── AleUnfinishedError  it ends too early: more of it could make it one
├── AleRunError       the program failed while running; `recover` and `try` see these
└── AleLimitError     the program hit a limit; nothing inside the program can catch it
"""

Span = tuple[int, int, int, int]
"""Line and column of the first and of the last character plus one; lines and columns count from 1."""

NOWHERE: Span = (1, 1, 1, 1)
"""The place of what was not read from the text: the form that `eval` is given, what a macro makes of nothing."""

MAX_SHOWN = 60
"""Characters of the offending form that a message shows."""


class AleError(Exception):
    """The root of all errors of Ale. `reason` is the bare message; the text adds the place and the form."""

    def __init__(self, reason: str, span: Span | None = None) -> None:
        self.reason, self.form = reason, ""
        self.span = None if span == NOWHERE else span
        super().__init__(reason)

    @property
    def line(self) -> int | None:
        """The line of the offending form, from 1; None where it has no place in the text."""
        return self.span[0] if self.span else None

    @property
    def column(self) -> int | None:
        """The column of the offending form, from 1; None where it has no place in the text."""
        return self.span[1] if self.span else None

    def __str__(self) -> str:
        place = f" at line {self.line}, column {self.column}" if self.span else ""
        return f"{self.reason}{place}{': ' if self.form else ''}{self.form}"


class AleCompileError(AleError):
    """The text is not a program."""


class AleUnfinishedError(AleCompileError):
    """The text ends in the middle of a form, a string or a comment."""


class AleRunError(AleError):
    """The program failed while running."""


class AleLimitError(AleError):
    """The program hit a limit, which the message names."""


def show(error: AleError, source: str) -> None:
    """Give an error that has a place the text of its form, cut to MAX_SHOWN characters."""
    if error.span is None or error.form:
        return
    line, column, end_line, end_column = error.span
    lines = source.split("\n")[line - 1 : end_line]
    if lines:
        lines[-1] = lines[-1][: end_column - 1]
        lines[0] = lines[0][column - 1 :]
    text = " ".join(" ".join(lines).split())
    error.form = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
