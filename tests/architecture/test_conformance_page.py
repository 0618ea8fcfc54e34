# SPDX-License-Identifier: Apache-2.0
"""docs/conformance.md leaves out no section of the contract and names no test that is not there."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, modules

PAGE = ROOT / "docs" / "conformance.md"
CONTRACT = ROOT.parent / "shared" / "contract"
REGISTER = "The divergence register"
ENTRIES = [f"X{number}" for number in range(1, 39)]
SECTIONS = {
    "execution": "0 1 1.1 1.2 1.3 1.4 1.5 1.6 2 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 3 3.1 3.2 3.3 3.4 3.5 3.6"
    " 3.7 3.8 4 5 6 7 8 9 9.1 9.2 9.3 9.4 9.5 9.6 10 10.1 10.2 10.3 10.4 10.5 12",
    "http": "1 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 1.10 1.11 2 2.1 2.2 2.3 3 3.1 3.2 3.3 3.4 3.5 4 4.1 4.2 4.3 4.4"
    " 5 5.1 5.2 5.3 5.4 5.5 5.6 7 7.1 7.2 8 9",
    "scripts": "1 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 2 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 2.12 2.13 2.14 2.15"
    " 2.16 3 3.1 3.2 3.3 3.4 4 4.1 4.2 4.3 5 6",
    "ops": "1 1.1 1.2 1.3 1.4 1.5 1.6 2 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 3 3.1 3.2 3.3 3.4 3.5 4 5 5.1 5.2"
    " 6 6.1 6.2 6.3 6.4 6.5 7",
}
"""The numbered headings of each part of the contract."""

ROW = re.compile(r"^\| (?P<number>[X\d.]+) \| [^|]+ \| (?P<tests>.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
REASON = re.compile(r"^(none|open): \S|^see \[")
HEADING = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", re.MULTILINE)


def _rows(part: str) -> list[tuple[str, str]]:
    """Number and tests of each row of a part of the page."""
    section = PAGE.read_text("utf-8").partition(f"\n## {part}\n")[2].partition("\n## ")[0]
    return [(match["number"], match["tests"]) for match in ROW.finditer(section)]


def _all_rows() -> list[tuple[str, str]]:
    return [(f"{part} {number}", tests) for part in (*SECTIONS, REGISTER) for number, tests in _rows(part)]


def _tests_by_file() -> dict[str, set[str]]:
    """The test functions of each file below tests/."""
    return {
        module.path.removeprefix("tests/"): {
            node.name for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for module in modules("tests")
    }


@pytest.mark.parametrize("part", SECTIONS)
def test_no_section_is_left_out(part: str) -> None:
    """Each has one row, in the order of the contract."""
    assert SECTIONS[part].split() == [number for number, _ in _rows(part)]


@pytest.mark.parametrize("part", SECTIONS)
@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract is not beside the repository")
def test_the_sections_are_those_of_the_contract(part: str) -> None:
    """The list above is what the contract has."""
    assert HEADING.findall((CONTRACT / f"{part}.md").read_text("utf-8")) == SECTIONS[part].split()


def test_every_row_names_tests_or_says_why_not() -> None:
    """A section that promises something is tested."""
    assert [] == [number for number, tests in _all_rows() if not NAMED.search(tests) and not REASON.match(tests)]


def test_no_row_names_a_test_that_is_not_there() -> None:
    """Neither a file nor a function in it."""
    known = _tests_by_file()
    missing = [
        f"{path}::{name}"
        for _, tests in _all_rows()
        for path, name in NAMED.findall(tests)
        if path not in known or (name and name not in known[path])
    ]
    assert [] == missing


def test_every_entry_of_the_register_has_tests_of_its_number() -> None:
    """Which its row names."""
    named = {number: {name for _, name in NAMED.findall(tests)} for number, tests in _rows(REGISTER)}
    assert ENTRIES == list(named)
    for number, names in named.items():
        assert names and [] == [name for name in names if number.lower() not in name.split("_")], number


def test_the_page_is_found() -> None:
    """The tests above look at something."""
    assert Path(PAGE).exists() and len(_all_rows()) > 200 - len(ENTRIES)
