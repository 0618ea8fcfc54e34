# SPDX-License-Identifier: Apache-2.0
"""Random and mutated scripts: whatever a text says, only documented errors come out, and in time.

Seeds are the rows of the conformance data, where they are, and our own. A few seconds in `make test`, a minute and more
with the slow tests. A failure shows the text.
"""

import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import Name
from argyll_engine.scripting import ScriptRegistry
from argyll_engine.scripting.ale import AleError, Limits, compile_script, evaluate, tagged
from argyll_engine.scripting.ale.library import CORE
from argyll_engine.scripting.ale.printer import render

ROOT: Final = Path(__file__).resolve().parents[2]
CONFORMANCE: Final = ROOT.parent / "shared" / "conformance"
OWN_ROWS: Final = ROOT / "tests" / "unit" / "scripting" / "ale" / "rows.txt"

LIMITS: Final = Limits(timeout_ms=300, memory_mb=128, max_steps=20_000)
SCRIPTS: Final = ScriptRegistry(timeout_ms=300, memory_mb=32, max_steps=200_000)
MAX_SECONDS: Final = 5.0
"""Processor time that one text may take: the limit, and what one bulk operation may take beyond it, with room."""

MAX_TEXT: Final = 400
X: Final = Name("x")
DOCUMENT: Final = {"a": [1, 2.5, None, {"b": "text", "c": [True]}], "": {}, "b": -1}

WORDS: Final = {
    "ale": """#{ #b[ #| |# ,@ . x -1 1/2 1e9 :k () #t null 999999999999999999999999999999""",
    "lua": """[[ ]] -- ... :: x nil end function return local pcall string.rep setmetatable 1e9 0x do for while true""",
    "jpath": r""".. && || == <= [? length( match( count( -1 1e9 null true 'a' \u00 \ud83d""",
}
SIGNS: Final = {
    "ale": "()[]{}'`,@#:.;/\\\"|\n\0é",
    "lua": "()[]{}'\"=<>~+-*/%^#.;:,\n\0ÿ",
    "jpath": "$@.[]()?*:,!&|<>='\"\\ \na",
}
NOISE: Final = {language: [*SIGNS[language], *words.split()] for language, words in WORDS.items()}
NOISE["ale"] += sorted(CORE)
"""Pieces of a language's texts."""

OWN: Final = {
    "ale": ["(map inc x)", "(let-rec [f (lambda (n) (if (= n 0) 1 (* n (f (- n 1)))))] (f 20))"],
    "lua": [
        "local t = {} for k, v in pairs(x) do t[#t + 1] = k end return t",
        "return x.a[1] + #x.a, string.format('%d', 3)",
        "return (('k=v'):gsub('(%w+)=(%w+)', '%2=%1'))",
        "local function f(n) if n == 0 then return 0 end return f(n - 1) end return {f(10), pcall(error, 'e')}",
    ],
    "jpath": [
        "$..*", "$.a[?@.b == 'text' && !@.z]", "length($.a) > 2", "$['a'][-1:0:-1]", "$[?match(@, 'a.*[b-z]{1,3}')]",
        "count($..[?@ > 1]) == 2 || @.b != null",
    ],
}  # fmt: skip


def seeds(language: str) -> list[str]:
    """Texts that mean something, for others to be made of."""
    texts = list(OWN[language])
    if language == "ale":
        texts += [line.rpartition(" => ")[0] for line in OWN_ROWS.read_text(encoding="utf-8").splitlines()]
    for path in CONFORMANCE.glob("*.jsonl"):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if row.get("language", "ale") == language:
                texts.append(row.get("src") or row.get("script") or "")
    return [text for text in texts if text]


def mutated(draw: random.Random, language: str, texts: list[str]) -> str:
    """A text with some of its pieces moved, doubled, dropped, or taken from others."""
    pieces = re.findall(r"\w+|\s+|.", draw.choice(texts), re.DOTALL)
    for _ in range(draw.randint(1, 6)):
        at, end = sorted(draw.randrange(len(pieces) + 1) for _ in range(2))
        match draw.randrange(5):
            case 0:
                del pieces[at:end]
            case 1:
                pieces[at:at] = pieces[at:end]
            case 2:
                pieces[at:end] = [draw.choice(NOISE[language])]
            case 3:
                pieces.insert(at, f" {draw.choice(NOISE[language])} ")
            case _:
                pieces.insert(at, draw.choice(texts))
    return "".join(pieces)[:MAX_TEXT]


def noise(draw: random.Random, language: str) -> str:
    """A text of pieces that do not belong together."""
    return "".join(draw.choices(NOISE[language], k=draw.randint(1, 25)))


def try_ale(text: str) -> None:
    """A text as a whole program and as a script; prints and tags what comes out."""
    for attempt in (lambda: evaluate(text, LIMITS), lambda: compile_script(text, ["x"], LIMITS)([1, 2], limits=LIMITS)):
        try:
            value = attempt()
            tagged(value), render(value)
        except AleError as error:
            assert "cannot be evaluated" not in error.reason, "an error of Python shows"


def try_registry(language: str) -> Callable[[str], None]:
    """A text at each of its places in a step."""

    def attempt(text: str) -> None:
        script = ScriptConfig(language=language, script=text)
        for call in (
            lambda: SCRIPTS.check(script, (X,)),
            lambda: SCRIPTS.predicate(script, (X,), {X: DOCUMENT}),
            lambda: SCRIPTS.match(script, DOCUMENT),
            lambda: json.dumps(SCRIPTS.map_output(script, DOCUMENT)[1], allow_nan=False),
        ):
            try:
                call()
            except ScriptError as error:
                assert str(error)

    return attempt


def fuzz(language: str, seconds: float, seed: int) -> None:
    """Feed the language texts for so long."""
    draw, texts = random.Random(seed), seeds(language)
    attempts = [try_registry(language), *([try_ale] if language == "ale" else [])]
    stop_at = time.monotonic() + seconds
    while time.monotonic() < stop_at:
        text = noise(draw, language) if draw.random() < 0.15 else mutated(draw, language, texts)
        for attempt in attempts:
            before = time.thread_time()
            try:
                attempt(text)
            except Exception as exc:
                raise AssertionError(f"{language}: {text!r}") from exc
            assert time.thread_time() - before < MAX_SECONDS, f"{language}: {text!r}"


@pytest.mark.parametrize(("language", "seconds"), [("ale", 3), ("lua", 1), ("jpath", 1)])
def test_for_some_seconds(language: str, seconds: int) -> None:
    """The same texts every time, as many as fit."""
    fuzz(language, seconds, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "seconds"), [("ale", 60), ("lua", 20), ("jpath", 20)])
def test_for_a_minute(language: str, seconds: int) -> None:
    """Other texts every time."""
    fuzz(language, seconds, seed=time.time_ns())
