# SPDX-License-Identifier: Apache-2.0
"""Lua 5.2 in a sandbox with limits: the language row `lua`. The only file that imports lupa.

The sandbox itself is `lua_sandbox.py`, its pattern functions are in `lua_patterns.py`, values cross in
`lua_values.py`. Only `registry.py` calls this.

A run may use a given amount of the processor time of its thread (a busy machine fails no script) and of memory.
Time is looked at every 500 instructions, so one that spends them on large copies overruns by what they take. An
interpreter in which a limit struck is thrown away.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NoReturn

from lupa import lua52

from argyll_engine.errors import ScriptCompileError, ScriptError, ScriptRunError
from argyll_engine.model.ids import JSONValue, Name
from argyll_engine.scripting.limits import ScriptLimits
from argyll_engine.scripting.lua_pattern_plans import PLANS
from argyll_engine.scripting.lua_patterns import PATTERNS
from argyll_engine.scripting.lua_places import compile_error, run_error
from argyll_engine.scripting.lua_sandbox import SANDBOX
from argyll_engine.scripting.lua_values import Allowance, LuaReader, LuaValue, LuaWriter

MAX_IDLE: Final = 10
"""Interpreters kept for later. Source: the contract, scripts §1.3."""

MAX_LOADED: Final = 256
"""Programs that one interpreter keeps loaded; they take from its memory, so fewer than are kept compiled."""

NO_LIMIT: Final = 0
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED: Final = frozenset(
    {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil"}
    | {"not", "or", "repeat", "return", "then", "true", "until", "while", "_ENV"}
)


class LuaLanguage:
    """Compiles Lua; may be shared by threads, each of which then works in an interpreter of its own."""

    def __init__(self, limits: ScriptLimits) -> None:
        self._limits = limits
        self._idle: list[_Interpreter] = []
        self._lock = threading.Lock()

    def compile(self, text: str, names: tuple[Name, ...]) -> "LuaProgram":
        """The program; its arguments are locals of these names, and `...` in their order.

        Raises:
            ScriptCompileError: The text is no Lua chunk, or a name is no Lua identifier.

        Source: the contract, scripts §1.2 and §1.3.
        """
        program = LuaProgram(self, _source(text, names), names)
        with self.interpreter() as interpreter:
            interpreter.load(program)
        return program

    @contextmanager
    def interpreter(self) -> "Iterator[_Interpreter]":
        """An interpreter for one thread; it is kept for the next, unless it is unfit or broke off."""
        with self._lock:
            interpreter = self._idle.pop() if self._idle else None
        interpreter = interpreter or _Interpreter(self._limits)
        try:
            yield interpreter
        except ScriptError:
            self._keep(interpreter)
            raise
        self._keep(interpreter)

    def _keep(self, interpreter: "_Interpreter") -> None:
        with self._lock:
            if interpreter.is_fit and len(self._idle) < MAX_IDLE:
                self._idle.append(interpreter)


class LuaProgram:
    """A compiled chunk, told apart by identity. Made by `LuaLanguage.compile`."""

    __slots__ = ("_language", "names", "source")

    def __init__(self, language: LuaLanguage, source: bytes, names: tuple[Name, ...]) -> None:
        self._language, self.source, self.names = language, source, names

    def evaluate(self, values: Mapping[Name, JSONValue]) -> JSONValue:
        """The first value returned, as JSON; null where there is none. Raises ScriptRunError."""
        with self._language.interpreter() as interpreter:
            return interpreter.evaluate(self, values)

    def holds(self, values: Mapping[Name, JSONValue]) -> bool:
        """Whether the first value returned is neither nil nor false. Raises ScriptRunError."""
        with self._language.interpreter() as interpreter:
            return interpreter.holds(self, values)


class _Interpreter:
    """One Lua state with the sandbox in it; used by one thread at a time.

    The memory limit is on only while a script runs: lupa's own allocations cannot fail without ending the process.
    """

    def __init__(self, limits: ScriptLimits) -> None:
        self._limits = limits
        self._refusals = {
            b"time": limits.time_refusal,
            b"memory": limits.memory_refusal,
            b"steps": limits.steps_refusal,
        }
        self._lua = lua52.LuaRuntime(
            encoding=None,
            attribute_filter=_refuse_attribute,
            register_eval=False,
            register_builtins=False,
            max_memory=NO_LIMIT,
        )
        self._compile, self._bind, self._run, self._take, self._describe, self._array = self._lua.execute(
            SANDBOX, limits.timeout_ms / 1_000, limits.memory_bytes, limits.max_steps, time.thread_time, PATTERNS, PLANS
        )
        self._loaded: OrderedDict[LuaProgram, LuaValue] = OrderedDict()
        self._struck = False

    @property
    def is_fit(self) -> bool:
        """Whether it may be used again: no limit struck, and not much is left lying about in its memory."""
        return not self._struck and self._lua.get_memory_used() <= self._limits.memory_bytes // 4

    def load(self, program: LuaProgram) -> LuaValue:
        """The chunk, loaded into this state. Raises ScriptCompileError."""
        chunk = self._loaded.get(program)
        if chunk is not None:
            self._loaded.move_to_end(program)
            return chunk
        loaded = self._compile(program.source)
        if isinstance(loaded, tuple):  # nil and a message
            raise compile_error(_text(loaded[1]), program.source, _prologue(program.names), self._fault_of)
        self._loaded[program] = loaded
        if len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)
        return loaded

    def evaluate(self, program: LuaProgram, values: Mapping[Name, JSONValue]) -> JSONValue:
        """The first value that the program returns, as JSON. Raises ScriptError."""
        allowance = Allowance(self._limits.max_result_bytes, self._limits.result_refusal)
        return LuaReader(_is_table, allowance).read(self._result(program, values))

    def holds(self, program: LuaProgram, values: Mapping[Name, JSONValue]) -> bool:
        """Whether the first value that the program returns is neither nil nor false. Raises ScriptError."""
        result = self._result(program, values)
        return result is not None and result is not False

    def _fault_of(self, source: bytes) -> str | None:
        """What a chunk fails to compile with, if it does."""
        loaded = self._compile(source)
        return _text(loaded[1]) if isinstance(loaded, tuple) else None

    def _result(self, program: LuaProgram, values: Mapping[Name, JSONValue]) -> LuaValue:
        """The first value that the program returned, still in Lua."""
        chunk = self.load(program)
        allowance = Allowance(self._limits.memory_bytes, self._limits.memory_refusal)
        writer = LuaWriter(self._lua.table_from, self._array, allowance)
        arguments = [writer.write(values.get(name), name) for name in program.names]
        self._bind(len(arguments), *arguments)
        ending = self._run_limited(chunk)
        if ending == b"ok":
            return self._take()
        if ending == b"error":
            raise run_error(_text(self._describe()))
        self._struck = True
        raise ScriptRunError(self._refusals[ending])

    def _run_limited(self, chunk: LuaValue) -> LuaValue:
        self._lua.set_max_memory(self._limits.memory_bytes)
        try:
            return self._run(chunk, time.thread_time() + self._limits.timeout_ms / 1_000)
        except lua52.LuaMemoryError:
            return b"memory"
        except lua52.LuaError:
            return b"time"  # the hook struck between the script and its frame
        finally:
            self._lua.set_max_memory(NO_LIMIT)


def _source(text: str, names: tuple[Name, ...]) -> bytes:
    """The chunk: on its first line, so that line numbers stay right, one declaration of all arguments."""
    for name in names:
        if not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
            raise ScriptCompileError(f'argument name is not a Lua identifier: "{name}"')
    return _prologue(names) + text.encode("utf-8", "surrogatepass")


def _prologue(names: tuple[Name, ...]) -> bytes:
    return f"local {', '.join(names)} = ...; ".encode() if names else b""


def _refuse_attribute(_object: object, name: object, _is_setting: bool) -> NoReturn:
    raise AttributeError(f"not available to scripts: {name!r}")


def _is_table(value: LuaValue) -> bool:
    return bool(lua52.lua_type(value) == "table")


def _text(message: LuaValue) -> str:
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
