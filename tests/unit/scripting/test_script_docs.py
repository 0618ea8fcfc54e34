# SPDX-License-Identifier: Apache-2.0
"""Every example of docs/scripts/ does what the page says.

Blocks of `ale` are conversations: forms, then `;=> value`. Blocks of `lua` and `ale script` are bodies of steps between
a comment `inputs:`, which may be missing, and one with `outputs:` or `error:`. Blocks of `jpath` are a `document:` and
lines `script => result`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.trial import ScriptTrial
from argyll_engine.script_trial import try_script
from argyll_engine.scripting import ScriptRegistry
from argyll_engine.scripting.ale import AleError, Session

PAGES = Path(__file__).parents[3] / "docs" / "scripts"
SCRIPTS = ScriptRegistry(timeout_ms=1_000, memory_mb=64)

BLOCK = re.compile(r"^```(\w+(?: \w+)?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VALUE = re.compile(r"^;=> (.+)$", re.MULTILINE)
COMMENT = re.compile(r"^(?:--|;) (inputs|outputs|error): (.+)$", re.MULTILINE)
NOT_TESTED = {"console", "json"}


def blocks(*kinds: str) -> list[tuple[str, str]]:
    """(kind, text) of all blocks of these kinds."""
    found = [block for page in sorted(PAGES.glob("*.md")) for block in BLOCK.findall(page.read_text("utf-8"))]
    return [(kind, text) for kind, text in found if kind in kinds]


def conversations() -> Iterator[tuple[str, str]]:
    """(forms, shown value) of the conversations in Ale."""
    for _, text in blocks("ale"):
        *parts, rest = VALUE.split(text)
        assert not rest.strip(), f"no value is shown for {rest!r}"
        yield from zip((part.strip() for part in parts[::2]), parts[1::2], strict=True)


def queries() -> Iterator[tuple[str, str, str, str]]:
    """(mode, document, script, shown result) of the examples of jpath."""
    for kind, text in blocks("jpath", "jpath predicate"):
        document, *lines = text.strip().split("\n")
        for line in lines:
            script, _, shown = line.rpartition(" => ")
            yield kind.partition(" ")[2] or "mapping", document.removeprefix("document: "), script, shown


@pytest.mark.parametrize(("forms", "shown"), list(conversations()))
def test_ale(forms, shown):
    """The value of the last form is the one shown, or the error has the words shown."""
    try:
        *_, value = Session().evaluate(forms)
    except AleError as error:
        value = f"error: {error}"
    if shown.startswith("error: "):
        assert shown.removeprefix("error: ") in value
        assert value.startswith("error: ")
    else:
        assert shown == value


@pytest.mark.parametrize(("kind", "text"), blocks("lua", "ale script"))
def test_the_body_of_a_step(kind, text):
    """It gives the outputs that are shown, or fails with the words that are shown."""
    said = dict(COMMENT.findall(text))
    script = ScriptConfig(language=kind.partition(" ")[0], script=_without_inputs(text))
    trial = ScriptTrial(script=script, mode="script", inputs=json.loads(said.get("inputs", "{}")))
    if "error" in said:
        with pytest.raises(ScriptError, match=re.escape(said["error"])):
            try_script(SCRIPTS, trial)
    else:
        expected = json.loads(said["outputs"])
        assert json.dumps(expected, sort_keys=True) == json.dumps(try_script(SCRIPTS, trial).value, sort_keys=True)


def _without_inputs(text: str) -> str:
    """The script begins after the line with its inputs, so that its lines are those that are shown in messages."""
    first, _, rest = text.partition("\n")
    return rest if COMMENT.fullmatch(first) else text


@pytest.mark.parametrize(("mode", "document", "script", "shown"), list(queries()))
def test_jpath(mode, document, script, shown):
    """It selects what is shown, or does not compile with the words that are shown."""
    trial = ScriptTrial(
        script=ScriptConfig(language="jpath", script=script), mode=mode, arguments=(), inputs=json.loads(document)
    )
    if shown.startswith("error: "):
        with pytest.raises(ScriptError, match=re.escape(shown.removeprefix("error: "))):
            try_script(SCRIPTS, trial)
        return
    result = try_script(SCRIPTS, trial)
    assert shown == (json.dumps(result.value, separators=(", ", ": ")) if result.found else "no match")


def test_every_block_is_tested():
    """But what a shell prints, and bodies of requests."""
    kinds = {kind for page in PAGES.glob("*.md") for kind, _ in BLOCK.findall(page.read_text("utf-8"))}
    assert {"ale", "ale script", "lua", "jpath", "jpath predicate"} == kinds - NOT_TESTED
    assert not [page for page in PAGES.glob("*.md") if page.read_text("utf-8").count("\n```") % 2]
