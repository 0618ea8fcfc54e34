# SPDX-License-Identifier: Apache-2.0
"""Texts to values: whole programs form by form, and scripts, which are compiled once and called many times.

Source: the contract, scripts §1.2, §1.3, §2.5 and D5.
"""

import ast
from collections.abc import Sequence
from types import FunctionType
from typing import Final

from argyll_engine.scripting.ale import arithmetic, calling, definitions, nodes, procedures, sequences, special_forms
from argyll_engine.scripting.ale.calling import settle
from argyll_engine.scripting.ale.calls import CALLS
from argyll_engine.scripting.ale.compiler import Compiler
from argyll_engine.scripting.ale.equality import equal
from argyll_engine.scripting.ale.errors import NOWHERE, AleCompileError, AleError, AleLimitError, show
from argyll_engine.scripting.ale.keys import object_of, set_of
from argyll_engine.scripting.ale.library import CORE
from argyll_engine.scripting.ale.library.functional import spread
from argyll_engine.scripting.ale.meter import Limits, Meter
from argyll_engine.scripting.ale.reader import is_local_name, read
from argyll_engine.scripting.ale.runtime_errors import FILE, RUNTIME_ERRORS, refuse_arguments, translate
from argyll_engine.scripting.ale.scope import Function, Namespace
from argyll_engine.scripting.ale.sequences import prepend
from argyll_engine.scripting.ale.values import AleObject, Macro, Procedure, Symbol, Value, Vector

RULES: Final = {**special_forms.RULES, **procedures.RULES, **definitions.RULES}
"""Every special form."""

TOO_DEEP: Final = "recursion is too deep"
MAX_SOURCE: Final = 1_048_576
"""Characters of one text."""

DEFAULT_LIMITS: Final = Limits()


def evaluate(source: str, limits: Limits = DEFAULT_LIMITS) -> Value:
    """The value of the last form of a program; null of an empty one.

    Raises:
        AleError: The program does not compile, fails or hits a limit.
    """
    meter = Meter(limits)
    try:
        namespace = namespace_on(meter)
        result: Value = None
        for form in read_source(source):
            result = evaluate_form(meter, namespace, form)
        return result
    except (*RUNTIME_ERRORS, AleLimitError, RecursionError) as error:
        raise shown_error(error, source) from _cause(error)


class Script:
    """A compiled script; may be called by several threads at once."""

    __slots__ = ("_main", "source")

    def __init__(self, source: str, main: Procedure) -> None:
        self.source, self._main = source, main

    def __call__(self, *values: Value, limits: Limits = DEFAULT_LIMITS) -> Value:
        """What the script gives for the values of its arguments, in their order."""
        return self.run(Meter(limits), values)

    def run(self, meter: Meter, values: Sequence[Value]) -> Value:
        """What the script gives on this meter.

        Raises:
            AleRunError: The script failed.
            AleLimitError: The script hit a limit.
        """
        try:
            result = self._main(meter, *values)
            return settle(meter, result) if type(result) is tuple else result
        except (*RUNTIME_ERRORS, AleLimitError, RecursionError) as error:
            raise shown_error(error, self.source) from _cause(error)


def compile_script(source: str, arguments: Sequence[str], limits: Limits = DEFAULT_LIMITS) -> Script:
    """The script, a procedure of these arguments; `limits` hold for compiling it.

    Raises:
        AleCompileError: The text is no script, or an argument has a name that no symbol has.
        AleLimitError: A macro hit a limit.
    """
    meter = Meter(limits)
    try:
        for name in arguments:
            if not is_local_name(name):
                raise AleCompileError(f'argument name is not an Ale symbol: "{name}"')
        forms = read_source(source)
        if not forms:
            raise AleCompileError("script has no form")
        return Script(source, _compile_script(namespace_on(meter, is_script=True), forms, arguments))
    except (*RUNTIME_ERRORS, AleLimitError, RecursionError) as error:
        shown = shown_error(error, source)
        if isinstance(shown, AleCompileError | AleLimitError):
            raise shown from _cause(error)
        failure = AleCompileError(shown.reason, shown.span)
        failure.form = shown.form
        raise failure from error


def read_source(source: str) -> list[Value]:
    """The forms of a text. Raises AleCompileError, also for one that is too long."""
    if len(source) > MAX_SOURCE:
        raise AleCompileError(f"text is longer than {MAX_SOURCE} characters")
    return read(source)


def shown_error(error: Exception, source: str) -> AleError:
    """The error of Ale, with its place and its form."""
    result = AleLimitError(TOO_DEEP) if isinstance(error, RecursionError) else translate(error)
    show(result, source)
    return result


def _cause(error: Exception) -> Exception | None:
    """What an error of Ale stems from, if anything; without the frames of the run, which would keep its values."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__, link = None, link.__context__
    return None if isinstance(error, AleError) else error


def _compile_script(namespace: Namespace, forms: list[Value], arguments: Sequence[str]) -> FunctionType:
    function = Function()
    compiler = Compiler(namespace, RULES, CALLS, function)
    names = definitions.enter_arguments(compiler, [Symbol(name) for name in arguments])

    def define_macro(symbol: Symbol, value: Value) -> None:
        namespace.bind(symbol.name, Macro(evaluate_form(namespace.meter, _inner(namespace, namespace.meter), value)))

    expanded = definitions.declare_all(compiler, forms, define_macro)
    compiler.body(expanded or [None])
    return _build(namespace, function, names)


def _build(namespace: Namespace, function: Function, parameters: Sequence[str] = ()) -> FunctionType:
    """The Python function of what was written."""
    main = nodes.function("main", parameters, None, function.block)
    nodes.locate(main, NOWHERE)
    try:
        code = compile(ast.Module(body=[main], type_ignores=[]), FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError) as exc:
        raise AleCompileError(f"text cannot be compiled: {exc}") from exc
    exec(code, namespace.globals)  # runs one `def`
    result: FunctionType = namespace.globals.pop("main")
    return result


def evaluate_form(meter: Meter, namespace: Namespace, form: Value) -> Value:
    """The value of one form of a program."""
    function = Function()
    Compiler(namespace, RULES, CALLS, function).tail(form)
    result = _build(namespace, function)(meter)
    return settle(meter, result) if type(result) is tuple else result


def _evaluate_quoted(meter: Meter, namespace: Namespace, form: Value) -> Value:
    """What `eval` does; what a script defines in it is gone afterwards."""
    meter.spend(EVALUATION_STEPS)
    return evaluate_form(meter, _inner(namespace, meter) if namespace.is_script else namespace, form)


EVALUATION_STEPS: Final = 500
"""Steps that compiling a form at run time counts for."""


def _expand(meter: Meter, namespace: Namespace, form: Value) -> Value:
    return _expander(meter, namespace).expand(form)


def _expand_once(meter: Meter, namespace: Namespace, form: Value) -> Value:
    return _expander(meter, namespace).expand_once(form)


def _expander(meter: Meter, namespace: Namespace) -> Compiler:
    return Compiler(_inner(namespace, meter), RULES, CALLS, Function())


def _inner(namespace: Namespace, meter: Meter) -> Namespace:
    """A namespace for one evaluation, with what the outer one binds; a run never touches the meter of another."""
    inner = namespace_on(meter)
    inner.adopt(namespace)
    return inner


def namespace_on(meter: Meter, *, is_script: bool = False) -> Namespace:
    """A namespace of its own for one program or script; what compiles in it uses the meter."""
    globals_ = dict(_RUNTIME)
    namespace = Namespace(CORE, globals_, meter, is_script=is_script)
    globals_["namespace"] = namespace
    return namespace


_RUNTIME: Final[dict[str, Value]] = {
    "__builtins__": {},
    **{kind.__name__: kind for kind in (type, int, tuple, len, NameError, RecursionError)},
    **{kind.__name__: kind for kind in (Vector, AleObject, Macro)},
    "Procedure": Procedure,
    **{name: getattr(arithmetic, name) for name in ("add", "subtract", "multiply", "divide", "modulo")},
    **{f"is_{name}": getattr(arithmetic, f"is_{name}") for name in ("equal", "less", "at_most", "greater", "at_least")},
    "callee": calling.callee,
    "settle": settle,
    "look_up": calling.look_up,
    "call_bool": calling.call_boolean,
    "call_int": calling.call_integer,
    **{f"call_{kind}": calling.call_mapped for kind in ("AleObject", "AleSet")},
    **{f"call_{kind}": calling.call_slice for kind in ("str", "bytes", "Vector")},
    "first": sequences.first,
    "rest": sequences.rest,
    "equal": equal,
    "prepend": prepend,
    "spread": spread,
    "object_of": object_of,
    "set_of": set_of,
    "refuse_arguments": refuse_arguments,
    "evaluate_form": _evaluate_quoted,
    "expand_form": _expand,
    "expand_form_once": _expand_once,
}
"""What compiled code finds among its globals."""
