# SPDX-License-Identifier: Apache-2.0
"""The macros of the core, but for the threading ones: forms to forms.

What they expand to names the core with its namespace, so that no local variable can get in between.
Long because there are thirty of them, each with its help.
Source: the contract, scripts §2.5–2.7, §2.11 and §2.14.
"""

from collections.abc import Callable
from itertools import count
from typing import Final

from argyll_engine.scripting.ale.errors import AleCompileError
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.values import Cons, Keyword, List, Macro, Symbol, Value, Vector, core, form, list_of

_NUMBERS: Final = count(1)


def fresh_symbol(stem: str) -> Symbol:
    """A symbol that is written nowhere."""
    return Symbol(f"{stem}-gensym-{next(_NUMBERS)}")


def forms_of(value: Value, *, but: str) -> tuple[Value, ...]:
    """The elements of a list form. Raises AleCompileError, with the text `but`, for what is no list."""
    if value is None:
        return ()
    if type(value) is not List:
        raise AleCompileError(but)
    return tuple(value)


def _lambda(parameters: Value, *body: Value) -> List:
    return form(core("lambda"), parameters, *body)


def _thunk(body: tuple[Value, ...], name: str) -> List:
    if not body:
        raise AleCompileError(f"{name} needs a body")
    return _lambda(None, *body)


# ---- conditions and logic ----------------------------------------------------------------------


def _and(meter: Meter, *forms: Value) -> Value:
    """The first value that is false, else the last; true of none. Stops at the first false."""
    return form(core("%and"), *forms) if forms else True


def _or(meter: Meter, *forms: Value) -> Value:
    """The first value that is not false, else false; stops at the first that is not."""
    return form(core("%or"), *forms) if forms else False


def _not_and(meter: Meter, *forms: Value) -> Value:
    """Whether some value is false: `and`, negated."""
    return form(core("not"), form(core("and"), *forms))


def _not_or(meter: Meter, *forms: Value) -> Value:
    """Whether every value is false: `or`, negated."""
    return form(core("not"), form(core("or"), *forms))


def _cond(meter: Meter, *clauses: Value) -> Value:
    """The expression of the first clause whose test is not false; null if there is none.

    Usage: (cond [test expression]*)
    """
    result: Value = None
    for clause in reversed(clauses):
        if type(clause) is not Vector or clause.length != 2:
            raise AleCompileError(
                "a clause of cond is a vector of a test and an expression", getattr(clause, "at", None)
            )
        result = form(core("if"), *clause.all(), result)
    return result


def _case(meter: Meter, value: Value, *clauses: Value) -> Value:
    """The result of the first clause that matches by `eq`, a list matching any of its elements; an error if none.

    Usage: (case value [match result]*)
    """
    chosen = fresh_symbol("case")
    result: Value = form(core("raise"), "no cases could be matched")
    for clause in reversed(clauses):
        if type(clause) is not Vector or clause.length != 2:
            raise AleCompileError("a clause of case is a vector of a match and a result", getattr(clause, "at", None))
        match, then = clause.all()
        candidates = tuple(match) if type(match) is List else (match,)
        tests = (form(core("eq"), chosen, candidate) for candidate in candidates)
        result = form(core("if"), form(core("or"), *tests), then, result)
    return form(core("let"), Vector((chosen, value)), result)


def _when(meter: Meter, test: Value, *body: Value) -> Value:
    """The last of the body, if the test is not false; else null."""
    return form(core("if"), test, form(core("begin"), *body), None)


def _when_not(meter: Meter, test: Value, *body: Value) -> Value:
    """The last of the body, if the test is false; else null."""
    return form(core("if"), test, None, form(core("begin"), *body))


def _unless(meter: Meter, test: Value, then: Value = None, otherwise: Value = None) -> Value:
    """`then` if the test is false, else `otherwise`: `if` the other way round.

    Usage: (unless test [then [otherwise]])
    """
    return form(core("if"), test, otherwise, then)


def _one_binding(binding: Value) -> tuple[Value, Value]:
    if type(binding) is List and binding.length == 1:
        binding = binding.head
    if type(binding) is not Vector or binding.length != 2:
        raise AleCompileError("a binding is a vector of a name and an expression")
    name, value = binding.all()
    return name, value


def _if_let(meter: Meter, binding: Value, then: Value, otherwise: Value = None) -> Value:
    """`then` with the value under a name, if it is not false; else `otherwise`. Null counts as true.

    Usage: (if-let [name value] then [otherwise])
    """
    name, value = _one_binding(binding)
    found = fresh_symbol("found")
    inner = form(core("let"), Vector((name, found)), then)
    return form(core("let"), Vector((found, value)), form(core("if"), found, inner, otherwise))


def _when_let(meter: Meter, binding: Value, *body: Value) -> Value:
    """The last of the body with the value under a name, if it is not false; else null.

    Usage: (when-let [name value] body+)
    """
    if not body:
        raise AleCompileError("when-let needs a body")
    return _if_let(meter, binding, form(core("begin"), *body))


# ---- binding and procedures --------------------------------------------------------------------


def _let_in_turn(meter: Meter, bindings: Value, first: Value, *body: Value) -> Value:
    """The last of the body with names bound one after the other, each seen by the next.

    Usage: (let* ([name value]*) body+)
    """
    pairs = (bindings,) if type(bindings) is Vector else forms_of(bindings, but="a binding list is a list of vectors")
    result = form(core("begin"), first, *body)
    for pair in reversed(pairs):
        result = form(core("let"), pair, result)
    return result


def _label(meter: Meter, name: Value, value: Value) -> Value:
    """The value, which knows itself by the name."""
    return form(core("let-rec"), Vector((name, value)), name)


def _lambda_rec(meter: Meter, name: Value, *parts: Value) -> Value:
    """A procedure that can call itself by the name.

    Usage: (lambda-rec name (parameter*) body+)
    """
    if type(name) is not Symbol:
        return _lambda(name, *parts)
    return form(core("label"), name, form(core("lambda"), *parts))


def _let_procedures(meter: Meter, procedures: Value, first: Value, *body: Value) -> Value:
    """The last of the body with procedures that know themselves and each other.

    Usage: (letfn [(lambda-rec name (parameter*) body+)+] body+)
    """
    if type(procedures) is not Vector:
        raise AleCompileError("letfn wants a vector of lambda-rec forms")
    bindings: list[Value] = []
    for procedure in procedures.all():
        if type(procedure) is not List or str(procedure.head) not in ("lambda-rec", "ale/lambda-rec"):
            raise AleCompileError("letfn wants lambda-rec forms only")
        _, name, *parts = procedure
        bindings.append(Vector((name, form(core("lambda"), *parts))))
    return form(core("let-rec"), list_of(bindings), first, *body)


def _thunk_macro(meter: Meter, *body: Value) -> Value:
    """A procedure without parameters.

    Usage: (thunk body+)
    """
    return _thunk(body, "thunk")


def _compose(meter: Meter, *procedures: Value) -> Value:
    """A procedure that calls one after the other, from left to right, each with the result of the one before."""
    arguments = fresh_symbol("arguments")
    if not procedures:
        return core("identity")
    names = [fresh_symbol("composed") for _ in procedures]
    result = form(core("apply"), names[0], arguments)
    for name in names[1:]:
        result = form(name, result)
    bindings = list_of([Vector(pair) for pair in zip(names, procedures, strict=True)])
    return form(core("let"), bindings, _lambda(arguments, result))


def _define(meter: Meter, *parts: Value) -> Value:
    """Binds a name at the top of a program or script.

    Usage: (define name value) or (define (name parameter*) body+)
    """
    flags: set[str] = set()
    while parts and type(parts[0]) is Keyword:
        flags.add(parts[0].name)
        parts = parts[1:]
    if flags - {"private", "macro"} or len(parts) < 2:
        raise AleCompileError("define wants a name and an expression, or a head and a body")
    head, *body = parts
    if type(head) is Symbol and "macro" not in flags:
        if len(body) != 1:
            raise AleCompileError("define wants one expression")
        return form(core("%define"), head, body[0])
    return _defined("%define-macro" if "macro" in flags else "%define-lambda", head, body)


def _defined(special: str, head: Value, parts: list[Value]) -> List:
    """A definition of (name . params) body+, or of name followed by parameters and body, or by cases."""
    if type(head) is List:
        return form(core(special), head.head, _lambda(head.tail, *parts))
    if type(head) is Cons:
        return form(core(special), head.car, _lambda(head.cdr, *parts))
    if type(head) is not Symbol:
        raise AleCompileError("only a local name can be defined")
    return form(core(special), head, form(core("lambda"), *parts))


def _define_lambda(meter: Meter, head: Value, *parts: Value) -> Value:
    """Binds a procedure that can call itself by its name.

    Usage: (define-lambda name (parameter*) body+)
    """
    return _defined("%define-lambda", head, list(parts))


def _define_macro(meter: Meter, head: Value, *parts: Value) -> Value:
    """Binds a macro: a procedure from forms to the form that stands in their place.

    Usage: (define-macro name (parameter*) body+)
    """
    return _defined("%define-macro", head, list(parts))


def _declare(meter: Meter, *names: Value) -> Value:
    """Announces names that are bound later.

    Usage: (declare name+)
    """
    return form(core("%public"), *names)


def _private(meter: Meter, *names: Value) -> Value:
    """Announces names that are bound later; the same as `declare` here.

    Usage: (private name+)
    """
    return form(core("%private"), *names)


# ---- laziness, loops, errors -------------------------------------------------------------------


def _delaying(procedure: str, name: str, meaning: str) -> Callable[..., Value]:
    def expand(meter: Meter, *body: Value) -> Value:
        return form(core(procedure), _thunk(body, name))

    expand.__doc__ = f"{meaning}\n\nUsage: ({name} body+)"
    return expand


def _for(meter: Meter, bindings: Value, *body: Value) -> Value:
    """The lazy sequence of what the body gives for all combinations of elements; the last name varies fastest.

    Usage: (for ([name values]+) body+)
    """
    pairs = (
        (bindings,)
        if type(bindings) is Vector
        else forms_of(bindings, but="for wants vectors of a name and a sequence")
    )
    if not pairs or not body:
        raise AleCompileError("for needs a binding and a body")
    result: Value = form(core("begin"), *body)
    walker = "map"
    for pair in reversed(pairs):
        name, value = _one_binding(pair)
        result = form(core(walker), _lambda(form(name), result), form(core("seq!"), value))
        walker = "mapcat"
    return result


def _for_each(meter: Meter, bindings: Value, *body: Value) -> Value:
    """The last value that the body gives for all combinations of elements.

    Usage: (for-each ([name values]+) body+)
    """
    return form(core("last!"), form(core("for"), bindings, *body))


def _call_member(meter: Meter, target: Value, method: Value, *arguments: Value) -> Value:
    """What the procedure that an object has under a key gives.

    Usage: (: object key arguments*)
    """
    return form(form(core("get"), target, method), *arguments)


def _try(meter: Meter, *parts: Value) -> Value:
    """What the body gives; after an error, what the first clause gives whose predicate holds for its text.

    Usage: (try body* (catch [name predicate] body*)* [(finally body*)])
    """
    body = [part for part in parts if not (_is_clause(part, "catch") or _is_clause(part, "finally"))]
    catches = [part for part in parts if _is_clause(part, "catch")]
    finals = [part for part in parts if _is_clause(part, "finally")]
    attempt = _lambda(None, *(body or [None]))
    if catches:
        attempt = _lambda(None, form(core("recover"), attempt, _catcher(catches)))
    if finals:
        return form(
            core("%defer"), attempt, _lambda(None, *([f for final in finals for f in final.tail or ()] or [None]))
        )
    return form(attempt)


def _catcher(catches: list[Value]) -> Value:
    error = fresh_symbol("error")
    result: Value = form(core("raise"), error)
    for clause in reversed(catches):
        if clause.length < 2 or type(clause.tail.head) is not Vector or clause.tail.head.length != 2:
            raise AleCompileError("catch wants a vector of a name and a predicate", clause.at)
        name, predicate = clause.tail.head.all()
        handled = form(core("let"), Vector((name, error)), *(clause.tail.tail or (None,)))
        result = form(core("if"), form(core("->"), error, predicate), handled, result)
    return _lambda(form(error), result)


def _is_clause(part: Value, name: str) -> bool:
    return type(part) is List and type(part.head) is Symbol and str(part.head) == name


_EXPANDERS: Final[dict[str, Callable[..., Value]]] = {
    "and": _and, "or": _or, "!and": _not_and, "!or": _not_or, "cond": _cond, "case": _case, "when": _when,
    "when-not": _when_not, "unless": _unless, "if-let": _if_let, "when-let": _when_let, "let*": _let_in_turn,
    "label": _label, "lambda-rec": _lambda_rec, "letfn": _let_procedures, "thunk": _thunk_macro, "comp": _compose,
    "define": _define, "define-lambda": _define_lambda, "define-macro": _define_macro, "declare": _declare,
    "private": _private,
    "lazy-seq": _delaying("%lazy-seq", "lazy-seq", "The sequence of the body, which is evaluated at the first look."),
    "delay": _delaying("%delay", "delay", "A promise of what the body gives, evaluated once, when it is forced."),
    "lazy": _delaying("%delay-force", "lazy", "A promise of what the promise that the body gives has."),
    "delay-force": _delaying("%delay-force", "delay-force", "A promise of what the promise that the body gives has."),
    "for": _for, "for-each": _for_each, ":": _call_member, "try": _try,
}  # fmt: skip

MACROS: Final = {name: Macro(expand) for name, expand in _EXPANDERS.items()}
"""The macros of this file, by name."""
