# SPDX-License-Identifier: Apache-2.0
"""A flow to be started, as whoever starts it says it: nothing is planned yet. And what starts many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from argyll_engine.errors import ArgyllError
from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.model.plan import InitArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A flow to be started; the id is clean."""

    flow_id: FlowID
    goals: tuple[StepID, ...]
    init: InitArgs = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


StartTogether: TypeAlias = Callable[[Sequence[Start]], list[ArgyllError | None]]
"""Starts flows: None for each that is started, else why not. Raises what concerns all of them."""
