# SPDX-License-Identifier: Apache-2.0
"""Bottom-up over a value of any depth, without recursion. Shared parts are looked at once."""

from collections.abc import Callable
from typing import Any

from argyll_engine.scripting.ale.values import Value


def fold(root: Value, parts: Callable[[Value], list[Value]], build: Callable[[Value, list[Any]], Any]) -> Any:
    """`build(value, what it gave for each of parts(value))`, for the root."""
    done: dict[int, Any] = {}
    opened: dict[int, tuple[Value, list[Value]]] = {}  # keeps every part alive, so that identities stay their own
    pending: list[Value] = [root]
    while pending:
        value = pending[-1]
        key = id(value)
        if key in done:
            pending.pop()
        elif key in opened:
            done[key] = build(value, [done[id(part)] for part in opened[key][1]])
            pending.pop()
        else:
            opened[key] = value, parts(value)
            pending.extend(opened[key][1])
    return done[id(root)]
