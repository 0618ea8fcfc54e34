# SPDX-License-Identifier: Apache-2.0
"""JSON values to Lua values and back, as bytes, numbers, booleans and tables. Only `lua.py` calls this.

What a table is, and how one is made, is handed in: lupa itself is not imported here.
Source: the contract, scripts §3.3, §3.4 and §6.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from argyll_engine.errors import ScriptRunError
from argyll_engine.model.ids import JSONValue

MAX_DEPTH: Final = 100
"""Levels of nesting that cross the border; deeper values are refused, which also ends cycles."""

MAX_EXACT: Final = 2**53
"""Integers up to here are exact in Lua, whose numbers are doubles."""

_MAX_ARRAY_WITH_HOLES: Final = 100_000  # what fits on Lua's stack with room to spare; beyond it `#` is unspecified
_MAX_WHOLE: Final = 1e21  # from here on the reference writes numbers with an exponent
_MAX_PATH: Final = 80  # characters of a path that an error names
_TABLE_BYTES: Final = 56
_ENTRY_BYTES: Final = 40

LuaValue = Any
"""None, bool, int, float, bytes, or an opaque handle of lupa."""


class Allowance:
    """Bytes that a conversion may still use; spending more raises ScriptRunError with the given text."""

    def __init__(self, limit_bytes: int, refusal: str) -> None:
        self._left_bytes, self._refusal = limit_bytes, refusal

    def spend(self, size_bytes: int) -> None:
        """Take away from what is left."""
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise ScriptRunError(self._refusal)


class LuaWriter:
    """Turns the arguments of one run into Lua values.

    Args:
        new_table: makes a table from a dict or a list of Lua values.
        new_array: makes a table of exactly as many elements as arguments, None among them.
        allowance: memory that all arguments together may take in Lua, roughly.
    """

    def __init__(
        self,
        new_table: Callable[[dict[bytes | int, LuaValue] | list[LuaValue]], LuaValue],
        new_array: Callable[..., LuaValue],
        allowance: Allowance,
    ) -> None:
        self._new_table, self._new_array, self._allowance = new_table, new_array, allowance

    def write(self, value: JSONValue, name: str, depth: int = 0) -> LuaValue:
        """The Lua value; integers beyond 2^53 lose precision.

        Raises:
            ScriptRunError: Naming the argument, for a number that is too large and for too deep a value.
        """
        match value:
            case None | bool():
                return value
            case int() if -MAX_EXACT <= value <= MAX_EXACT:
                return value
            case int() | float():
                return _double(value, name)
            case str():
                return self._text(value)
        if depth >= MAX_DEPTH:
            raise ScriptRunError(f'argument "{name}" nests deeper than {MAX_DEPTH} levels')
        self._allowance.spend(_TABLE_BYTES + _ENTRY_BYTES * len(value))
        if isinstance(value, Mapping):
            members = ((self._text(key), self.write(member, name, depth + 1)) for key, member in value.items())
            return self._new_table({key: member for key, member in members if member is not None})
        return self._array([self.write(element, name, depth + 1) for element in value])

    def _text(self, text: str) -> bytes:
        encoded = text.encode("utf-8", "surrogatepass")
        self._allowance.spend(len(encoded))
        return encoded

    def _array(self, elements: list[LuaValue]) -> LuaValue:
        """A table from 1 on; a null is a hole that the length of the table still counts."""
        if None not in elements:
            return self._new_table(elements)
        if len(elements) <= _MAX_ARRAY_WITH_HOLES:
            return self._new_array(*elements)
        return self._new_table({place: element for place, element in enumerate(elements, 1) if element is not None})


class LuaReader:
    """Turns the result of one run into JSON values, object members in order of their names.

    Args:
        is_table: whether a handle is a table (whatever else is a handle becomes null).
    """

    def __init__(self, is_table: Callable[[LuaValue], bool], allowance: Allowance) -> None:
        self._is_table, self._allowance = is_table, allowance

    def read(self, value: LuaValue, path: str = "", depth: int = 0) -> JSONValue:
        """The JSON value; `path` says where in the result it was found.

        Raises:
            ScriptRunError: Naming the output, for a number or a table key that JSON cannot carry, and for a
                result that is too deep, or too large.
        """
        self._allowance.spend(_ENTRY_BYTES)
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return _finite(value, path)
        if isinstance(value, bytes):
            return self._text(value)
        return self._table(value, path, depth) if self._is_table(value) else None

    def _table(self, table: LuaValue, path: str, depth: int) -> JSONValue:
        if depth >= MAX_DEPTH:
            raise ScriptRunError(f"{_place(path)} nests deeper than {MAX_DEPTH} levels")
        entries: dict[LuaValue, LuaValue] = dict(self._entries(table.items()))
        if entries and _is_array(entries):
            return [
                self.read(entries[place], f"{path or 'result'}[{place}]", depth + 1)
                for place in range(1, len(entries) + 1)
            ]
        return self._object(entries, path, depth)

    def _entries(self, items: Iterable[tuple[LuaValue, LuaValue]]) -> Iterable[tuple[LuaValue, LuaValue]]:
        for item in items:
            self._allowance.spend(_ENTRY_BYTES)
            yield item

    def _object(self, entries: Mapping[LuaValue, LuaValue], path: str, depth: int) -> dict[str, JSONValue]:
        """Members by the text of their keys; a string key wins over a number of the same text."""
        keys = sorted((self._key(key, path), isinstance(key, bytes), index) for index, key in enumerate(entries))
        members: Sequence[LuaValue] = tuple(entries.values())
        return {
            name: self.read(members[index], f"{path}.{name}" if path else name, depth + 1) for name, _, index in keys
        }

    def _key(self, key: LuaValue, path: str) -> str:
        match key:
            case bytes():
                return self._text(key)
            case bool():
                return "true" if key else "false"
            case int() | float():
                return f"{key:.14g}"
        raise ScriptRunError(f"{_place(path)} has a key that is neither string, number nor boolean")

    def _text(self, encoded: bytes) -> str:
        self._allowance.spend(len(encoded))
        return encoded.decode("utf-8", "replace")


def _double(number: int | float, name: str) -> float:
    try:
        return float(number)
    except OverflowError as exc:
        raise ScriptRunError(f'argument "{name}" is a number too large for Lua') from exc


def _finite(number: float, path: str) -> int | float:
    """The number, as an integer where the reference writes it without an exponent."""
    if not math.isfinite(number):
        raise ScriptRunError(f"{_place(path)} is a number that JSON cannot carry: {number}")
    return int(number) if number.is_integer() and abs(number) < _MAX_WHOLE else number


def _is_array(entries: Mapping[LuaValue, LuaValue]) -> bool:
    """Whether the keys are exactly 1 to n."""
    return all(type(key) is int and 1 <= key <= len(entries) for key in entries)


def _place(path: str) -> str:
    return f'output "{path[:_MAX_PATH] or "result"}"'
