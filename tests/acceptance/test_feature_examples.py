# SPDX-License-Identifier: Apache-2.0
"""The examples of `examples/features`: each prints what the guide shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/features.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"```console\n\$ \.venv/bin/python -m examples\.features\.(\w+)\n(.*?)```", GUIDE, re.DOTALL))
STAGE = "stage"


def test_every_example_is_in_the_guide() -> None:
    """No file is left out, and none that is shown is missing."""
    files = {path.stem for path in (ROOT / "examples/features").glob("[!_]*.py")} - {STAGE}
    assert files == set(SHOWN)


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_an_example_prints_what_the_guide_shows(stack: Stack, name: str) -> None:
    """Line by line, and nothing else."""
    printed = subprocess.run(
        (sys.executable, "-m", f"examples.features.{name}"),
        cwd=ROOT,
        env=os.environ | {"ARGYLL_ENGINE_URL": stack.client.base_url},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (SHOWN[name], "", 0) == (printed.stdout, printed.stderr, printed.returncode)
