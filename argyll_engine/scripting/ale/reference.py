# SPDX-License-Identifier: Apache-2.0
"""The page docs/scripts/ale-builtins.md, made from `help.py`; printed by `argyll ale --reference`."""

from collections.abc import Iterable, Iterator
from typing import Final

from argyll_engine.scripting.ale.help import Help, Kind, every_help
from argyll_engine.scripting.ale.library import collections, functional, lazily, numeric, predicates
from argyll_engine.scripting.ale.scope import UNAVAILABLE

_INTRODUCTION: Final = """\
# Ale: everything built in

Made from the code by `make docs`; a test fails when it is stale. The language itself is taught in [ale](ale.md), and
`argyll ale` shows the same texts with `(help name)`.

In a use, `[x]` is a part that may be left out, but for the vectors that a macro takes as they are; `x*` stands for any
number of forms, `x+` for at least one. `!p?` is the opposite of each predicate `p?`: it holds if no argument is so.
"""
_LIBRARY: Final = (
    ("Numbers and comparison", numeric.PROCEDURES),
    ("Sequences and objects", collections.PROCEDURES),
    ("Lazy sequences", lazily.PROCEDURES),
    ("Procedures, errors, promises and text", functional.PROCEDURES),
    ("Predicates and kinds", predicates.PROCEDURES),
)


def reference_page() -> str:
    """The page, in Markdown."""
    return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    yield from _section("Special forms", [found for found in every_help() if found.kind is Kind.SPECIAL])
    yield from _section("Macros", [found for found in every_help() if found.kind is Kind.MACRO])
    for title, procedures in _LIBRARY:
        yield from _section(title, [found for found in every_help() if found.name in procedures])
    yield from _section("Values", [found for found in every_help() if found.kind is Kind.VALUE])
    yield "## Not available\n"
    yield "Names of the language that have effects. A script that uses one does not compile.\n"
    yield ", ".join(f"`{name}`" for name in sorted(UNAVAILABLE)) + "\n"


def _section(title: str, found: Iterable[Help]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| name | use | gives |"
    yield "|---|---|---|"
    for each in found:
        yield f"| `{each.name}` | {_code(each.usage)} | {each.text} |"
    yield ""


def _code(usage: str) -> str:
    """A use as code; double marks where it has a backquote itself."""
    return f"`` {usage} ``" if "`" in usage else f"`{usage}`"
