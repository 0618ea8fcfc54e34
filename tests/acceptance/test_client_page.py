# SPDX-License-Identifier: Apache-2.0
"""The page about the Python client: its examples, run one after the other, do what they say."""

import re
from pathlib import Path
from typing import Any

from tests.acceptance.stack import Stack

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


def test_the_examples_of_the_page_run(stack: Stack) -> None:
    """In the order of the page, in one program; their own assertions hold."""
    text = PAGE.read_text("utf-8").replace("http://localhost:8080", stack.client.base_url)
    examples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) > 5
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
