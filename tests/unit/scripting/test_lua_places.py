# SPDX-License-Identifier: Apache-2.0
"""The place of a fault in a Lua text: the line that Lua names, and the column of the word at fault."""

import pytest

from argyll_engine.errors import ScriptCompileError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting import ScriptRegistry

SCRIPTS = ScriptRegistry(timeout_ms=1_000, memory_mb=64)


@pytest.mark.parametrize("names", [(), ("amount", "name")])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("return +", (1, 8)),
        ("x = = 1", (1, 5)),
        ("x = {\n 1 = 2 = = 3}", (2, 4)),
        ("return 1 return 2", (1, 10)),  # the second of two equal words
        ("return a +\n b c d", (2, 4)),
        ("local x = 1\nreturn x -- fine\n)", (3, 1)),
        ('return "abc', (1, 12)),
        ('x = "a\nb"', (1, 5)),
        ("if x then", (1, 10)),
        ("if x then\n", (2, 1)),
        ("local é = 1", (1, 7)),
        ('x = "é" é', (1, 9)),  # columns are characters, not bytes
        ("x = [[a\nb]] y z", (2, 7)),
        ("x = 1 [[a\nb]]", (1, 7)),  # Lua itself names the line where the string ends
        ("break", (1, None)),
        ("goto nope", (1, None)),
    ],
)
def test_a_compile_error(text, place, names):
    """Arguments, declared on the first line, move nothing."""
    with pytest.raises(ScriptCompileError) as caught:
        SCRIPTS.check(ScriptConfig(language="lua", script=text), names)
    assert place == (caught.value.line, caught.value.column), str(caught.value)
