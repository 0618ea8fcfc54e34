# SPDX-License-Identifier: Apache-2.0
"""Where in a Lua text an error arose. Lua itself tells the line and, for what does not compile, the word at fault.

Only `lua.py` calls this. The column follows from compiling the text up to each place where that word stands in its
line: the first such beginning that fails with the same words ends at the fault.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from argyll_engine.errors import ScriptCompileError, ScriptRunError

Fault = Callable[[bytes], str | None]
"""The error that a chunk fails to compile with; None for one that compiles."""

MAX_TRIES: Final = 50
"""Beginnings of one text that are compiled to find a column."""

_PLACED: Final = re.compile(r"script:(?P<line>[0-9]+): ")
_NEAR: Final = re.compile(r" near (?:'(?P<word>.+)'|char\((?P<byte>[0-9]+)\))$", re.DOTALL)


def compile_error(message: str, source: bytes, prologue: bytes, fault_of: Fault) -> ScriptCompileError:
    """The error of a source, the text after a prologue on its first line, with the line and the column in the text.

    Args:
        message: what Lua said of the whole source.
        fault_of: compiles a beginning of it.
    """
    placed = _PLACED.match(message)
    if placed is None:
        return ScriptCompileError(message)
    line = int(placed["line"])
    end = _fault_at(message, line, source, fault_of)
    if end is None:
        return ScriptCompileError(message, line=line)
    line, line_start = source.count(b"\n", 0, end) + 1, source.rfind(b"\n", 0, end) + 1
    column = len(source[max(line_start, len(prologue)) : end].decode("utf-8", "replace")) + 1
    return ScriptCompileError(f"{message} at line {line}, column {column}", line=line, column=column)


def run_error(message: str) -> ScriptRunError:
    """The error of a run, with the line if the message begins with one."""
    placed = _PLACED.match(message)
    return ScriptRunError(message, line=int(placed["line"]) if placed else None)


def _fault_at(message: str, line: int, source: bytes, fault_of: Fault) -> int | None:
    """The place of the word at fault, in bytes from the start; None if Lua names no word."""
    if message.endswith(" near <eof>"):
        return len(source.rstrip()) if line == source.rstrip().count(b"\n") + 1 else len(source)
    near = _NEAR.search(message)
    if near is None:
        return None
    word = near["word"].encode("utf-8", "replace") if near["word"] else bytes([int(near["byte"])])
    places = list(_places(word, line, source))[:MAX_TRIES]
    exact = (place for place in places if fault_of(source[: place + len(word)]) == message)
    return next(exact, places[0] if places else None)


def _places(word: bytes, line: int, source: bytes) -> Iterator[int]:
    """Where the word begins in its line; a word over several lines ends in it."""
    lines = source.split(b"\n")
    first = line - 1 - word.count(b"\n")
    start = sum(len(text) + 1 for text in lines[: max(first, 0)])
    end = start + sum(len(text) + 1 for text in lines[max(first, 0) : line])
    place = source.find(word, start, end)
    while place >= 0:
        yield place
        place = source.find(word, place + 1, end)
