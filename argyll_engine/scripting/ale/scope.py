# SPDX-License-Identifier: Apache-2.0
"""What names stand for while a text is compiled: local variables, the definitions of a program, the core.

Python names of variables hold a `#`, so that they never meet the names that compiled code uses for itself.
"""

import ast
from dataclasses import dataclass, field
from typing import Final

from argyll_engine.scripting.ale.errors import AleRunError
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.values import CORE, Macro, Symbol, Value


@dataclass(slots=True, eq=False)
class Function:
    """A Python function that is being written; `block` is where its next statement goes.

    A call of itself in tail position sets the parameters anew and goes back to the start. That is wrong once
    something inside holds on to a variable (`is_captured`); then all `loops` are made tail calls in the end.
    """

    block: list[ast.stmt] = field(default_factory=list)
    itself: "Variable | None" = None
    parameters: tuple[str, ...] = ()
    rest: str | None = None
    is_captured: bool = False
    has_calls: bool = False
    loops: list[tuple[list[ast.stmt], int, list[ast.expr]]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Variable:
    """A local variable of a function, or a definition of the program if `owner` is None."""

    python: str
    owner: Function | None = None
    is_procedure: bool = False


@dataclass(slots=True, eq=False)
class Scope:
    """Local names, inside those of `parent`."""

    parent: "Scope | None" = None
    names: dict[Symbol, Variable] = field(default_factory=dict)

    def find(self, symbol: Symbol) -> Variable | None:
        """The innermost variable of this name."""
        scope: Scope | None = self
        while scope is not None:
            variable = scope.names.get(symbol)
            if variable is not None:
                return variable
            scope = scope.parent
        return None


UNAVAILABLE: Final = frozenset(
    {"asm", "special", "import", "declared", "%mk-ns", "go", "go!", "go-with-monitor", "future", "generate", "chan"}
    | {"define-namespace", "with-open", "time", "current-time", "%go", "spawn", "pr", "prn", "print", "println"}
    | {"*in*", "*out*", "*err*", "*env*", "*args*"}
)
"""Names of the language that have effects, and are left out here. Source: the contract, scripts §2.15."""


class Namespace:
    """The definitions of one program over the core, and the dict of globals that its compiled code runs in.

    Args:
        values: everything built in, by name.
        globals_: a dict of its own with what compiled code needs.
        meter: what compiling may use; expanding a macro is running it.
        is_script: whether definitions are local variables of the text, as in a script of a step.

    With `is_open` set, a name may be bound again, as a conversation needs it.
    """

    def __init__(
        self, values: dict[str, Value], globals_: dict[str, Value], meter: Meter, *, is_script: bool = False
    ) -> None:
        self.core, self.globals, self.meter, self.is_script = values, globals_, meter, is_script
        self.is_open = False
        self._declared: dict[str, Variable] = {}
        self._count = 0

    def fresh(self, stem: str) -> str:
        """A Python name that is used nowhere else in this namespace."""
        self._count += 1
        return f"{stem}#{self._count}"

    def declare(self, name: str) -> Variable:
        """The definition of this name, whether or not it is bound yet."""
        return self._declared.setdefault(name, Variable(f"user/{name}"))

    def bind(self, name: str, value: Value) -> Value:
        """The value, now bound. Raises AleRunError for a name that is bound already."""
        variable = self.declare(name)
        if variable.python in self.globals and not self.is_open:
            raise AleRunError(f"name is already bound: {name}")
        self.globals[variable.python] = value
        return value

    def bound_names(self) -> tuple[str, ...]:
        """Names of what the program has bound so far."""
        return tuple(name for name, variable in self._declared.items() if variable.python in self.globals)

    def adopt(self, other: "Namespace") -> None:
        """Take over what the other namespace binds."""
        for name, variable in other._declared.items():
            if variable.python in other.globals:
                self.bind(name, other.globals[variable.python])

    def find(self, symbol: Symbol) -> Variable | None:
        """The definition of this name, if the program declared it."""
        return self._declared.get(symbol.name) if symbol.namespace is None else None

    def value_of(self, symbol: Symbol) -> Value:
        """What the program or the core binds the name to now.

        Raises:
            KeyError: It is not bound.
        """
        variable = self.find(symbol)
        if variable is not None:
            return self.globals[variable.python]
        if symbol.namespace in (None, CORE):
            return self.core[symbol.name]
        raise KeyError(symbol)

    def macro_of(self, head: Value) -> Macro | None:
        """The macro that the head of a form names."""
        if type(head) is not Symbol:
            return None
        try:
            value = self.value_of(head)
        except KeyError:
            return None
        return value if type(value) is Macro else None

    def keep(self, value: Value) -> str:
        """The Python name under which compiled code finds a constant."""
        python = self.fresh("constant")
        self.globals[python] = value
        return python
