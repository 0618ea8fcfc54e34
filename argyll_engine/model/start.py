# SPDX-License-Identifier: Apache-2.0
"""A flow to be started, as whoever starts it says it: nothing is planned yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.model.plan import InitArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A flow to be started; the id is clean."""

    flow_id: FlowID
    goals: tuple[StepID, ...]
    init: InitArgs = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
