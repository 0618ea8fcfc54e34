# SPDX-License-Identifier: Apache-2.0
"""Ale, a small functional Lisp: a language of its own that knows nothing of the engine.

    text ─ reader → forms ─ compiler (with the macros of library/) → Python functions ─ run on a meter → values

`evaluate` runs a whole program, `compile_script` makes a procedure of named arguments; all errors are AleErrors with
line, column and the offending form. Nothing has effects, and nothing outlives its run.
"""

from argyll_engine.scripting.ale.errors import (
    AleCompileError,
    AleError,
    AleLimitError,
    AleRunError,
    AleUnfinishedError,
)
from argyll_engine.scripting.ale.meter import Limits, Meter
from argyll_engine.scripting.ale.program import Script, compile_script, evaluate
from argyll_engine.scripting.ale.session import Session, is_unfinished
from argyll_engine.scripting.ale.tags import tagged

__all__ = [
    "evaluate",
    "compile_script",
    "Script",
    "tagged",
    "Session",
    "is_unfinished",
    "Limits",
    "Meter",
    "AleError",
    "AleCompileError",
    "AleUnfinishedError",
    "AleRunError",
    "AleLimitError",
]
