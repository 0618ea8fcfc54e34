# SPDX-License-Identifier: Apache-2.0
"""Events of older versions, made as this version would have written them. Called by `events.py` for each that is read.

An event type whose data changes in a way that its reader cannot see by itself gets a row in `UPCASTS`: one function for
each version that there was, from that one's data to the next one's. An envelope names its version from 2 on. Members
that a reader does not know are left out, and types that it does not know are ignored, so most changes need no row.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

JSONObject = dict[str, Any]
Upcast = Callable[[JSONObject], JSONObject]
Upcasts = Mapping[str, tuple[Upcast, ...]]

FIRST: Final = 1
"""The version of an envelope that names none."""

UPCASTS: Final[Upcasts] = MappingProxyType({})
"""By the wire name of an event type; the function at place n makes version n + 2 of version n + 1."""


def version_of(name: str, upcasts: Upcasts = UPCASTS) -> int:
    """The version of an event type that is written now."""
    return FIRST + len(upcasts.get(name, ()))


def upcast(name: str, version: int, data: JSONObject, upcasts: Upcasts = UPCASTS) -> JSONObject:
    """The data of an event as it would be written now.

    Raises:
        ValueError: A newer version of Argyll has written it.
    """
    steps = upcasts.get(name, ())
    if not FIRST <= version <= FIRST + len(steps):
        raise ValueError(f"{name} of version {version} was written by a newer version of Argyll")
    for step in steps[version - FIRST :]:
        data = step(data)
    return data
