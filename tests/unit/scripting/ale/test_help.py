# SPDX-License-Identifier: Apache-2.0
"""Every builtin of Ale explains itself, and the page that lists them is that of the code."""

import inspect
from pathlib import Path

import pytest

from argyll_engine.scripting.ale import AleError, compile_script
from argyll_engine.scripting.ale.help import CONSTANTS, Kind, every_help, help_of
from argyll_engine.scripting.ale.library import CORE
from argyll_engine.scripting.ale.reference import reference_page
from argyll_engine.scripting.ale.scope import UNAVAILABLE

PAGE = Path(__file__).parents[4] / "docs" / "scripts" / "ale-builtins.md"


def test_every_builtin_has_help():
    """A text of a sentence, and a use that begins with its own name."""
    assert list(CORE) == [found.name for found in every_help()]
    silent = [found.name for found in every_help() if not found.text.endswith(".")]
    foreign = [found.name for found in every_help() if found.name not in found.usage.replace("(", " ").split()]
    assert ([], []) == (silent, foreign)


def test_kinds():
    """Every kind is there, and only plain values are explained by a table."""
    assert set(Kind) == {found.kind for found in every_help()}
    assert set(CONSTANTS) == {found.name for found in every_help() if found.kind is Kind.VALUE}


def test_other_names():
    """Each names the others, in uses too."""
    assert ("foldl", "reduce") == help_of("fold-left").aliases
    assert ("(reduce procedure [start] values)", ("fold-left", "foldl")) == (
        help_of("reduce").usage, help_of("reduce").aliases,
    )  # fmt: skip


def test_a_name_that_is_not_built_in():
    """Has no help."""
    assert help_of("println") is None


@pytest.mark.parametrize("name", sorted(UNAVAILABLE))
def test_names_that_are_left_out_do_not_compile(name):
    """And say why."""
    with pytest.raises(AleError, match="not available to scripts"):
        compile_script(f"({name} 1)", ())


def test_the_page_is_that_of_the_code():
    """`make docs` writes it anew."""
    assert reference_page() == PAGE.read_text("utf-8")


def test_help_of_procedures_is_their_docstring():
    """Nothing is said twice."""
    procedures = {name: value for name, value in CORE.items() if inspect.isfunction(value)}
    assert {name: value.__doc__.partition("\n")[0] for name, value in procedures.items()} == {
        name: help_of(name).text for name in procedures
    }
