# SPDX-License-Identifier: Apache-2.0
"""The quickstart of the README: its commands, run one after the other, print what it says they print."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.acceptance.client import eventually
from tests.acceptance.stack import Stack

ROOT = Path(__file__).parents[2]
README_ADDRESS = "localhost:8080"


def quickstart() -> list[tuple[str, str]]:
    """The commands of the first console block, each with its output."""
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    return [(command, output) for command, output in found]


def plain(text: str) -> list[list[str]]:
    """The words of each line, every number of milliseconds as 0: that alone differs from run to run."""
    return [["0" if word.isdecimal() else word for word in line.split()] for line in text.splitlines()]


def test_the_quickstart_prints_what_it_says(stack: Stack) -> None:
    """Every command succeeds and prints the lines of the README."""
    address = stack.client.base_url
    environment = os.environ | {"ARGYLL_ENGINE_URL": address, "COLUMNS": "120"}

    def printed(command: str) -> str:
        here = command.replace(README_ADDRESS, address.removeprefix("http://"))
        here = here.replace(".venv/bin/argyll", f"{Path(sys.executable).parent}/argyll")
        return subprocess.run(
            here, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    for command, output in quickstart():
        eventually(f"the output of {command}", lambda c=command, o=output: plain(printed(c)) == plain(o))
