# SPDX-License-Identifier: Apache-2.0
"""Runs of scripts that meet a limit are counted by language and limit; what they give does not change."""

import pytest

from argyll_engine.errors import ScriptError, ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting.limits import ScriptLimits, limit_of
from argyll_engine.scripting.metered import MeteredScriptEngine
from argyll_engine.scripting.registry import ScriptRegistry
from tests.unit.metrics.readings import growth

SCRIPTS = MeteredScriptEngine(ScriptRegistry(timeout_ms=10_000, memory_mb=64, max_steps=5_000, max_result_bytes=1_024))
ENDLESS = {"ale": "(define-lambda f (x) (f x)) (f 1)", "lua": "while true do end"}


@pytest.mark.parametrize("language", ["lua"])
def test_a_run_that_takes_too_many_steps_is_counted(language):
    """The error is the one that the language gives."""
    with growth() as grown, pytest.raises(ScriptError):
        SCRIPTS.run(ScriptConfig(language=language, script=ENDLESS[language]), (), {})
    assert 1.0 == grown.of("argyll_script_limits_total", language=language, limit="steps")


def test_a_result_that_is_too_large_is_counted():
    """Also where a predicate, a gate or a mapping meets the limit: all verbs are watched."""
    with growth() as grown, pytest.raises(ScriptError):
        SCRIPTS.run(ScriptConfig(language="lua", script="return string.rep('x', 5000)"), (), {})
    assert 1.0 == grown.of("argyll_script_limits_total", language="lua", limit="result")


def test_other_errors_are_not_counted():
    """A script that fails by itself has met no limit."""
    with growth() as grown, pytest.raises(ScriptRunError):
        SCRIPTS.run(ScriptConfig(language="lua", script="error('time limit')"), (), {})
    assert 0.0 == sum(
        grown.of("argyll_script_limits_total", language="lua", limit=limit) for limit in ("time", "steps", "memory")
    )


def test_the_limits_are_known_by_the_texts_that_name_them():
    """Every refusal belongs to one limit."""
    limits = ScriptLimits(timeout_ms=1, memory_mb=1)
    texts = (limits.time_refusal, limits.memory_refusal, limits.steps_refusal, limits.result_refusal)
    assert ["time", "memory", "steps", "result"] == [limit_of(text) for text in texts]
    assert "" == limit_of("attempt to index a nil value")
