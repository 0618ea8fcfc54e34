# SPDX-License-Identifier: Apache-2.0
"""Regular expressions of jpath: RE2, which takes linear time. The only file that imports re2.

Only `jpath_queries.py` calls this. Source: the contract, scripts §4.2.
"""

from functools import lru_cache
from typing import Any, Final

import re2

from argyll_engine.scripting.jpath_values import Run

MAX_PATTERNS: Final = 128
"""Compiled patterns kept; RE2's own cache is as large."""

_MAX_PATTERN_BYTES: Final = 1_048_576
"""What RE2 may use for one pattern; one that needs more to compile is invalid."""

_ANY: Final = r"[^\r\n]"


def is_match(text: object, pattern: object, run: Run) -> bool:
    """Whether the whole text matches the pattern; false for an invalid pattern and for what is no string.

    Raises ScriptRunError where it could take too long.
    """
    prepared = _prepare(text, pattern, run)
    return prepared is not None and prepared[0].fullmatch(prepared[1]) is not None


def is_found(text: object, pattern: object, run: Run) -> bool:
    """Whether the pattern matches anywhere in the text; false as above. Raises ScriptRunError."""
    prepared = _prepare(text, pattern, run)
    return prepared is not None and prepared[0].search(prepared[1]) is not None


def _prepare(text: object, pattern: object, run: Run) -> tuple[Any, bytes] | None:
    """The pattern and the text in the form that RE2 takes them; None where they cannot match."""
    if not isinstance(text, str) or not isinstance(pattern, str):
        return None
    compiled, encoded = _compile(pattern), _encode(text)
    if compiled is None or encoded is None:
        return None
    run.scan(len(encoded) * compiled.programsize)
    return compiled, encoded


@lru_cache(maxsize=MAX_PATTERNS)
def _compile(pattern: str) -> Any | None:
    """The pattern with `.` made to exclude CR and LF; None for an invalid one."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_PATTERN_BYTES
    try:
        return re2.compile(_without_line_ends(pattern), options)
    except (re2.error, UnicodeEncodeError):
        return None


def _without_line_ends(pattern: str) -> str:
    """The pattern with each `.` outside of classes and quotations replaced."""
    parts, position = [], 0
    while position < len(pattern):
        end = _unit_end(pattern, position)
        unit = pattern[position:end]
        parts.append(_ANY if unit == "." else unit)
        position = end
    return "".join(parts)


def _unit_end(pattern: str, start: int) -> int:
    r"""Where the character, escape, class or `\Q…\E` that begins at `start` ends."""
    if pattern.startswith(r"\Q", start):
        end = pattern.find(r"\E", start)
        return len(pattern) if end < 0 else end + 2
    if pattern[start] == "\\":
        return start + 2
    return _class_end(pattern, start) if pattern[start] == "[" else start + 1


def _class_end(pattern: str, start: int) -> int:
    """Where a class ends; a closing bracket that comes first in it is one of its characters."""
    position = start + (2 if pattern.startswith("[^", start) else 1)
    position += pattern.startswith("]", position)
    while position < len(pattern) and pattern[position] != "]":
        if pattern.startswith("[:", position) and (end := pattern.find(":]", position)) > 0:
            position = end + 2
        else:
            position += 2 if pattern[position] == "\\" else 1
    return position + 1


def _encode(text: str) -> bytes | None:
    """The text in UTF-8; None for one with a lone surrogate, which RE2 cannot read."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None
