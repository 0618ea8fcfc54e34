# SPDX-License-Identifier: Apache-2.0
"""Registries of script languages, each with one limit that is easily reached, and how tests run texts in them."""

from typing import Any

import pytest

from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import Name
from argyll_engine.scripting import ScriptRegistry

TIMEOUT_MS, MEMORY_MB, MAX_STEPS, MAX_RESULT_BYTES = 200, 16, 300_000, 100_000

ROOMY = ScriptRegistry(timeout_ms=10_000, memory_mb=256)
HASTY = ScriptRegistry(timeout_ms=TIMEOUT_MS, memory_mb=512, max_steps=10**12)
SMALL = ScriptRegistry(timeout_ms=20_000, memory_mb=MEMORY_MB, max_steps=10**12)
SHORT = ScriptRegistry(timeout_ms=20_000, memory_mb=512, max_steps=MAX_STEPS)
TERSE = ScriptRegistry(timeout_ms=20_000, memory_mb=512, max_result_bytes=MAX_RESULT_BYTES)

TIME = f"script exceeded its time limit of {TIMEOUT_MS} ms"
MEMORY = f"script exceeded its memory limit of {MEMORY_MB} MB"
STEPS = f"script exceeded its limit of {MAX_STEPS} steps"
RESULT = f"script result is larger than {MAX_RESULT_BYTES} bytes"


def run(scripts: ScriptRegistry, language: str, text: str, **inputs: Any) -> Any:
    """What a script gives; of jpath, what it selects in the input `x`."""
    script, names = ScriptConfig(language=language, script=text), tuple(sorted(map(Name, inputs)))
    if language == "jpath":
        return scripts.map_input(script, names, Name("x"), inputs["x"])
    return scripts.run(script, names, {Name(name): value for name, value in inputs.items()})


def refusal(scripts: ScriptRegistry, language: str, text: str, **inputs: Any) -> str:
    """The error that a script ends with."""
    with pytest.raises(ScriptError) as caught:
        run(scripts, language, text, **inputs)
    return str(caught.value)


def lua(text: str, **inputs: Any) -> Any:
    """The value that a Lua text returns."""
    return run(ROOMY, "lua", text, **inputs)["result"]
