# SPDX-License-Identifier: Apache-2.0
"""The source files that the tests of this folder look at, parsed once a run. No rule lives here."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("argyll_engine", "argyll_api", "argyll_archiver")
TREES = (*PACKAGES, "tests", "examples", "bench")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Python file: its path from the top of the repository, its dotted name, its text and its syntax tree."""

    path: str
    name: str
    text: str
    tree: ast.Module

    @property
    def line_count(self) -> int:
        """Number of lines."""
        return self.text.count("\n")

    @property
    def docstring(self) -> str:
        """The module docstring; empty without one."""
        return ast.get_docstring(self.tree) or ""


@cache
def modules(*trees: str) -> tuple[Module, ...]:
    """Every Python file below these directories of the repository, by path."""
    paths = sorted(path for tree in trees for path in (ROOT / tree).rglob("*.py"))
    return tuple(_parse(path) for path in paths)


def packages() -> tuple[Module, ...]:
    """Every Python file of the three packages, by path."""
    return modules(*PACKAGES)


def _parse(path: Path) -> Module:
    relative = path.relative_to(ROOT)
    name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    text = path.read_text("utf-8")
    return Module(path=str(relative), name=name, text=text, tree=ast.parse(text))
