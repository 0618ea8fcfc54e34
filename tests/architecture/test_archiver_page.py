# SPDX-License-Identifier: Apache-2.0
"""docs/archiver.md has the variables of archiving as the code has them."""

import re
from pathlib import Path

from argyll_engine.variables import ARCHIVE_VARIABLES, VARIABLES

PAGE = Path(__file__).parents[2] / "docs" / "archiver.md"


def test_the_page_has_a_row_for_each_variable() -> None:
    """Names, defaults, ranges, meanings, in the order of the table."""
    documented = [line for line in PAGE.read_text("utf-8").split("\n") if re.match(r"\| `ARCHIVE_[A-Z_]+` \|", line)]
    expected = [
        f"| `{row.name}` | {f'`{row.default}`' if row.default else 'empty'} | {row.allowed} | {row.meaning} |"
        for row in ARCHIVE_VARIABLES
    ]
    assert expected == documented


def test_no_variable_of_archiving_is_one_of_the_engine() -> None:
    """Each name stands in one table."""
    assert set() == {row.name for row in ARCHIVE_VARIABLES} & {row.name for row in VARIABLES}
