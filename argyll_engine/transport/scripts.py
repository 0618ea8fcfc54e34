# SPDX-License-Identifier: Apache-2.0
"""Runs the Redis scripts of `lua/`. A Redis that does not know them, new or restarted, is told on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

from msgspec import Struct
from redis import Redis
from redis.exceptions import NoScriptError

from argyll_engine.round_trip import Command

Argument = str | bytes | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script with what all share; `sha` is the name by which a Redis that knows it runs it."""

    text: str
    sha: str


@cache
def read_script(name: str) -> Script:
    """The script in `lua/<name>.lua`."""
    folder = files("argyll_engine.transport").joinpath("lua")
    text = "".join(folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("prelude", name))
    return Script(text=text, sha=sha1(text.encode(), usedforsecurity=False).hexdigest())


class Call(Struct, frozen=True):
    """One run of a script; the header of the script says what keys and arguments are."""

    name: str
    keys: Sequence[str]
    args: Sequence[Argument]


def command(call: Call) -> Command:
    """A run of a script that Redis knows."""
    return ("EVALSHA", read_script(call.name).sha, len(call.keys), *call.keys, *call.args)


def run(client: Redis, call: Call) -> Any:
    """What the script answers."""
    script = read_script(call.name)
    try:
        return client.evalsha(script.sha, len(call.keys), *call.keys, *call.args)
    except NoScriptError:
        return client.eval(script.text, len(call.keys), *call.keys, *call.args)
