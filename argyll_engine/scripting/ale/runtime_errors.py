# SPDX-License-Identifier: Apache-2.0
"""Errors of Python in compiled code as errors of Ale, and the place in the text where an error arose.

Compiled code raises by itself: for a call with a wrong number of arguments, for a name that is not bound yet, and
for a number that is out of range.
"""

import re
from itertools import islice
from types import TracebackType
from typing import Final

from argyll_engine.scripting.ale.errors import NOWHERE, AleCompileError, AleError, AleRunError, Span

FILE: Final = "<ale>"
"""The file name of compiled code."""

RUNTIME_ERRORS: Final = (AleRunError, AleCompileError, TypeError, NameError, OverflowError)
"""What `recover` sees; `eval` and `read` fail to compile at run time."""

_ARGUMENTS: Final = re.compile(r"(?P<name>.*?)\(\) (?:takes|missing)\b.*positional argument")
_UNBOUND: Final = re.compile(r"'(?:user/)?(?P<name>.+?)(?:#\d+)?'")


def translate(error: Exception) -> AleError:
    """The error as one of Ale, with its place."""
    if isinstance(error, AleError):
        result = error
    elif isinstance(error, TypeError) and (found := _ARGUMENTS.match(str(error))):
        result = AleRunError(f"wrong number of arguments for {shown_name(found['name'])}")
    elif isinstance(error, NameError) and (found := _UNBOUND.search(str(error))):
        result = AleRunError(f"name is not bound yet: {found['name']}")
    elif isinstance(error, OverflowError):
        result = AleRunError("number is out of range")
    else:
        result = AleRunError(f"cannot be evaluated: {error}")
    if result.span is None:
        result.span = place_of(error.__traceback__)
    return result


def shown_name(qualified: str) -> str:
    """The name of a compiled procedure as its text has it."""
    return qualified.rpartition("<locals>.")[2].partition("#")[0]


def refuse_arguments(name: str, count: int) -> None:
    """Never: the error of a procedure that has no case for so many arguments."""
    raise AleRunError(f"wrong number of arguments for {shown_name(name)}: {count}")


def place_of(traceback: TracebackType | None) -> Span | None:
    """The place of the innermost form of the text that was being evaluated; None if it is not known."""
    frames: list[TracebackType] = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILE:
            frames.append(traceback)
        traceback = traceback.tb_next
    return next((span for frame in reversed(frames) if (span := _span_of(frame)) not in (None, NOWHERE)), None)


def _span_of(traceback: TracebackType) -> Span | None:
    positions = traceback.tb_frame.f_code.co_positions()
    line, end_line, column, end_column = next(islice(positions, traceback.tb_lasti // 2, None))
    if line is None or end_line is None or column is None or end_column is None:
        return None  # Python was told to keep no columns
    return line, column + 1, end_line, end_column + 1
