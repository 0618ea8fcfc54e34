# SPDX-License-Identifier: Apache-2.0
"""What every builtin is for, read from the code itself: docstrings and parameters. For the console and the reference.

The first line of a docstring is the help; a line `Usage: …` in it says how to call what its parameters cannot say.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from argyll_engine.scripting.ale.library import CORE
from argyll_engine.scripting.ale.program import RULES
from argyll_engine.scripting.ale.values import Macro, Procedure, Special

CONSTANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "true": "True; also written #t.",
        "false": "False, the only value that does not count as true; also written #f.",
        "null": "Null, the empty list; also written ().",
        "+inf": "The float that is greater than all others.",
        "-inf": "The float that is less than all others.",
        "nan": "The float that is no number and equals nothing.",
        "*pos-inf*": "The same as +inf.",
        "*neg-inf*": "The same as -inf.",
        "*space*": "A string of one space.",
        "*newline*": "A string of one newline.",
    }
)
"""What the builtins are for that are no more than values."""

_USAGE: Final = re.compile(r"^ *Usage: (.+)$", re.MULTILINE)
_HEAD: Final = re.compile(r"\(([^ ()]+)")


class Kind(StrEnum):
    """What a builtin is."""

    SPECIAL = "special form"
    MACRO = "macro"
    PROCEDURE = "procedure"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """One builtin: its name, what it is, how it is used, what it gives, and its other names."""

    name: str
    kind: Kind
    usage: str
    text: str
    aliases: tuple[str, ...] = ()


def help_of(name: str) -> Help | None:
    """The help of a builtin; None for a name that is none."""
    return _HELP.get(name)


def every_help() -> tuple[Help, ...]:
    """The help of every builtin, in the order in which the library has them."""
    return tuple(_HELP.values())


def _help(name: str) -> Help:
    value = CORE[name]
    if type(value) is Special:
        kind, documented = Kind.SPECIAL, RULES[value.name].expression
    elif type(value) is Macro:
        kind, documented = Kind.MACRO, value.expand
    elif type(value) is Procedure:
        kind, documented = Kind.PROCEDURE, value
    else:
        return Help(name=name, kind=Kind.VALUE, usage=name, text=CONSTANTS.get(name, ""))
    aliases = tuple(other for other, same in CORE.items() if same is value and other != name)
    doc = documented.__doc__ or ""
    return Help(name=name, kind=kind, usage=_usage(name, doc, documented), text=doc.partition("\n")[0], aliases=aliases)


def _usage(name: str, doc: str, documented: Callable[..., Any]) -> str:
    written = _USAGE.search(doc)
    if written is None:
        return f"({' '.join((name, *_parameters(documented)))})"
    head = _HEAD.match(written[1])
    return re.sub(rf"\({re.escape(head[1])}(?![^ )])", f"({name}", written[1]) if head else written[1]


def _parameters(documented: Callable[..., Any]) -> list[str]:
    """The parameters but the meter: `[x]` may be left out, `x*` stands for any number."""
    _, *parameters = inspect.signature(documented).parameters.values()
    return [_parameter(parameter) for parameter in parameters]


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"{parameter.name}*"
    return parameter.name if parameter.default is inspect.Parameter.empty else f"[{parameter.name}]"


_HELP: Final[Mapping[str, Help]] = MappingProxyType({name: _help(name) for name in CORE})
