# SPDX-License-Identifier: Apache-2.0
"""Every environment variable is documented, and nothing is documented that is not read."""

import ast
import re
from pathlib import Path

from argyll_api.cli.embedded import SETTINGS
from argyll_engine.variable import Variable
from argyll_engine.variables import ARCHIVE_VARIABLES, VARIABLES

ROOT = Path(__file__).parents[2]
ENTRY_POINTS = (
    "argyll_api/cli/",
    "argyll_api/wsgi.py",
    "argyll_engine/tasks/worker.py",
    "argyll_archiver/beat.py",
    "argyll_archiver/worker.py",
    # The library of metrics asks the environment when it is imported; what it names its files by is known there only.
    "argyll_engine/metrics/places.py",
)
ARCHIVING = {row.name for row in ARCHIVE_VARIABLES}
"""These are on a page of their own."""


def _documented_row(row: Variable) -> str:
    default = f"`{row.default}`" if row.default else "empty"
    older = ", ".join(f"`{name}`" for name in row.names[1:]) or "–"
    return f"| `{row.name}` | {default} | {row.allowed} | {row.meaning} | {older} |"


def test_the_operations_page_has_a_row_for_each_variable() -> None:
    """The tables of docs/operations.md are the table of the code: names, default, range, meaning."""
    lines = (ROOT / "docs/operations.md").read_text(encoding="utf-8").split("\n## Environment variables")[1].split("\n")
    documented = [line for line in lines if re.match(r"\| `[A-Z_]+` \|", line) and line.split("`")[1] not in ARCHIVING]
    assert sorted(map(_documented_row, VARIABLES)) == sorted(documented)


def test_the_environment_files_hold_each_variable_once_with_its_default() -> None:
    """deploy/env/*.env together set every variable, to its default, once."""
    files = [path for path in sorted((ROOT / "deploy/env").glob("*.env")) if path.name != "archiver.env"]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").split("\n")]
    settings = [line for line in lines if line and not line.startswith("#")]
    assert sorted(f"{row.name}={row.default}" for row in VARIABLES) == sorted(settings)


def test_no_name_is_spelled_in_two_rows() -> None:
    """A name stands for one variable."""
    names = [name for row in VARIABLES for name in row.names]
    assert sorted(set(names)) == sorted(names)


def test_the_private_redis_has_the_documented_settings() -> None:
    """deploy/redis.conf and the settings of `argyll up` are the same."""
    lines = (ROOT / "deploy/redis.conf").read_text(encoding="utf-8").split("\n")
    written = [tuple(line.split(" ", 1)) for line in lines if line and not line.startswith("#")]
    assert [(name, value or '""') for name, value in SETTINGS] == written


def test_only_entry_points_read_the_environment() -> None:
    """`os.environ` and `os.getenv` appear in the CLI and the other entry points alone."""
    readers = [
        str(path.relative_to(ROOT))
        for package in ("argyll_engine", "argyll_api", "argyll_archiver")
        for path in sorted((ROOT / package).rglob("*.py"))
        if _reads_environment(path)
    ]
    assert [] == [path for path in readers if not path.startswith(ENTRY_POINTS)]


def _reads_environment(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    # A request has an environment of its own, which is not that of the process. Source: PEP 3333.
    names = {node.attr for node in attributes if ast.unparse(node) != "request.environ"}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return bool(names & {"environ", "environb", "getenv"})
