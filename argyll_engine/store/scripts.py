# SPDX-License-Identifier: Apache-2.0
"""Runs the Redis scripts of `lua/`, many in one round trip. Called by the Redis stores beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

from msgspec import Struct
from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from argyll_engine.errors import BrokenError
from argyll_engine.round_trip import Command, ask, ask_at_once
from argyll_engine.store.connect import our_error, translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script of `lua/`; `sha` is the name by which a Redis that knows it runs it."""

    text: str
    sha: str


@cache
def read_script(name: str) -> Script:
    """The script in `lua/<name>.lua`."""
    text = files("argyll_engine.store").joinpath("lua", f"{name}.lua").read_text("utf-8")
    return Script(text=text, sha=sha1(text.encode(), usedforsecurity=False).hexdigest())


class ScriptCall(Struct, frozen=True):
    """One run of a script. Its header says what KEYS and ARGV are."""

    script: Script
    keys: Sequence[str]
    args: Sequence[str | bytes | int] = ()


class ScriptRunner:
    """Runs scripts on one Redis; one that does not know them, new or restarted, is told on the way."""

    def __init__(self, client: Redis, store: str) -> None:
        self._client, self._store = client, store

    def run(self, calls: Sequence[ScriptCall], at_once: bool = False) -> list[Any]:
        """The answers, in order. Nobody else is served between calls that run `at_once`; one may fail without the rest.

        Raises:
            StoreUnavailableError: One of them failed for the state of Redis; those beside it may have run.
            BrokenError: Redis refused one of them as wrong.
        """
        if not calls:
            return []
        with translated(self._store):
            answers = self._send(calls, (), at_once)
            unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if unknown:
                again = [calls[index] for index in unknown]
                texts = tuple(dict.fromkeys(call.script.text for call in again))
                for index, answer in zip(unknown, self._send(again, texts, at_once), strict=True):
                    answers[index] = answer
        self._raise_worst(answers)
        return answers

    def _send(self, calls: Sequence[ScriptCall], texts: Sequence[str], at_once: bool) -> list[Any]:
        commands: list[Command] = [("SCRIPT", "LOAD", text) for text in texts]
        commands += [("EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.args) for call in calls]
        answers = ask_at_once(self._client, commands) if at_once else ask(self._client, commands)
        return answers[len(texts) :]

    def _raise_worst(self, answers: Sequence[Any]) -> None:
        """Every answer was read; an outage goes before a refusal, as it is then right to repeat all."""
        causes = [answer for answer in answers if isinstance(answer, RedisError)]
        faults = [(our_error(self._store, cause), cause) for cause in causes]
        for fault, cause in sorted(faults, key=lambda pair: isinstance(pair[0], BrokenError)):
            raise fault from cause
