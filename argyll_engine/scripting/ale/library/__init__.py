# SPDX-License-Identifier: Apache-2.0
"""Everything that Ale has built in: `CORE`, by name. Impure names of the language are left out, see `scope.py`.

A procedure is a Python function whose first parameter is the meter; the first line of its docstring is its help.
Source: the contract, scripts §2.15.
"""

import math
from typing import Final

from argyll_engine.scripting.ale.library import collections, functional, lazily, macros, numeric, predicates
from argyll_engine.scripting.ale.library import threading_macros as threading
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.values import Macro, Procedure, Special, Value

SPECIAL_FORMS: Final = (
    "if", "let", "let-rec", "lambda", "begin", "quote", "eval", "macroexpand", "macroexpand-1", "%and", "%or",
    "%define", "%define-lambda", "%define-macro", "%public", "%private",
)  # fmt: skip
"""Names of the special forms."""


def _quasi_quote(meter: Meter, value: Value) -> Value:
    """The form as data, in which what is behind a comma is evaluated, and behind ,@ spliced in.

    Usage: (syntax-quote form) or `form
    """
    return threading.Template(CORE.__contains__).build(value)


CORE: Final[dict[str, Value]] = {
    **{name: Special(name) for name in SPECIAL_FORMS},
    **macros.MACROS,
    **threading.MACROS,
    "syntax-quote": Macro(_quasi_quote),
    **numeric.PROCEDURES,
    **predicates.PROCEDURES,
    **collections.PROCEDURES,
    **lazily.PROCEDURES,
    **functional.PROCEDURES,
    "true": True,
    "false": False,
    "null": None,
    "+inf": math.inf,
    "-inf": -math.inf,
    "nan": math.nan,
    "*pos-inf*": math.inf,
    "*neg-inf*": -math.inf,
    "*space*": " ",
    "*newline*": "\n",
}
"""Every public name of the core."""

CORE["λ"] = CORE["lambda"]

for _name, _value in CORE.items():
    if type(_value) is Procedure and "<locals>" not in _value.__qualname__:
        _value.__qualname__ = _name  # so that Python's own errors call it by the name of the language
