# SPDX-License-Identifier: Apache-2.0
"""Documents and sources say what is there: links, the tree of docs/architecture.md, licence lines, words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, TREES, modules, packages

TREE_PAGE = ROOT / "docs" / "architecture.md"
SPDX = "SPDX-License-Identifier: Apache-2.0"
LEFT_OUT = {"__init__.py", "__main__.py", "py.typed"}
"""Files that need no line of their own in the tree."""

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TREE_LINE = re.compile(r"^(?P<indent> *)(?P<name>[\w.\-]+/?)(?: {2,}(?P<says>\S.*))?$")
MARKER_WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
PRIVATE_PATHS = re.compile(r"(?<![\w.])(/work/|/home/|/root/|/Users/|\.\./sh" r"ared)")
EMPTY_WORDS = {"job", "manager", "processor", "data", "info", "stuff", "thing"}


def _documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def _sources() -> list[Path]:
    return [
        *(ROOT / module.path for module in modules(*TREES)),
        *sorted(ROOT.glob("argyll_*/**/*.lua")),
        ROOT / "setup.py",
    ]


# ---- links -----------------------------------------------------------------------------------


def _anchors(page: Path) -> set[str]:
    headings = HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in _anchors(linked)):
            yield target


@pytest.mark.parametrize("page", _documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading that it has."""
    assert [] == list(_broken_links(page))


# ---- the tree --------------------------------------------------------------------------------


def _tree() -> dict[str, str]:
    """Path → what the line says, from the blocks of the section "The tree"."""
    section = TREE_PAGE.read_text("utf-8").partition("\n## The tree\n")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for block in re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        parents: list[str] = []
        for line in block.splitlines():
            match = TREE_LINE.match(line)
            assert match is not None, f"not a line of a tree: {line!r}"
            del parents[len(match["indent"]) // 2 :]
            found["".join(parents) + match["name"]] = match["says"] or ""
            if match["name"].endswith("/"):
                parents.append(match["name"])
    return found


def test_every_line_of_the_tree_names_what_is_there() -> None:
    """A file that was moved or removed takes its line along."""
    assert [] == [path for path in _tree() if not (ROOT / path).exists()]


def test_every_file_of_the_packages_has_its_line() -> None:
    """A new file says in one line what it is for."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in (".py", ".lua")]
    expected = {str(path.relative_to(ROOT)) for path in files if path.name not in LEFT_OUT}
    assert set() == expected - {path for path, says in _tree().items() if says}


# ---- words -----------------------------------------------------------------------------------


def test_every_source_file_begins_with_its_licence() -> None:
    """The first line, or the second after one for the shell."""
    heads = {path: path.read_text("utf-8").split("\n")[:2] for path in _sources() if path.stat().st_size}
    wrong = [path for path, (first, *_) in heads.items() if not first.endswith(SPDX) and not first.startswith("#!")]
    assert [] == [str(path.relative_to(ROOT)) for path in wrong]


def test_every_module_says_what_it_is() -> None:
    """A docstring with a sentence on top; empty package markers need none."""
    silent = [module for module in modules(*TREES) if module.text.strip() and not module.docstring]
    assert [] == [module.path for module in silent]


def test_nothing_is_left_for_later_in_a_comment() -> None:
    """What is missing is in the tracker, not in the source."""
    pages = [*_documents(), *_sources()]
    assert [] == [str(p.relative_to(ROOT)) for p in pages if MARKER_WORDS.search(p.read_text("utf-8"))]


def test_documents_name_no_path_of_one_machine() -> None:
    """Readers have the repository and nothing else."""
    pages = [*_documents(), *(ROOT / module.path for module in packages())]
    assert [] == [str(p.relative_to(ROOT)) for p in pages if PRIVATE_PATHS.search(p.read_text("utf-8"))]


def test_no_name_is_an_empty_word() -> None:
    """Modules, classes and functions are not called after what everything is; see docs/glossary.md."""
    names = [
        f"{module.path}:{node.name}"
        for module in packages()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]
    names += [f"{module.path}:{module.name.split('.')[-1]}" for module in packages()]
    words = {name: {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name.partition(":")[2])} for name in names}
    found = [name for name, parts in words.items() if parts & EMPTY_WORDS]
    # asyncio's own name, and that of a level
    asyncio = [f"{path}:data_received" for path in ("argyll_api/socket.py", "argyll_engine/invoke/exchange.py")]
    assert [*asyncio, "argyll_engine/log.py:info"] == found
