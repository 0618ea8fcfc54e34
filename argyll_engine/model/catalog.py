# SPDX-License-Identifier: Apache-2.0
"""The registered steps and the graph of their attributes. Folding events into it is `evolve/catalog.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import AttributeEdges
from argyll_engine.model.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogState:
    """Every registered step by id, and per attribute name who provides and who consumes it.

    Const and meta names have an entry with two empty sides. `last_updated_at` is None before the first event.
    """

    last_updated_at: datetime | None = None
    steps: Mapping[StepID, Step] = field(default_factory=lambda: MappingProxyType({}))
    attributes: Mapping[Name, AttributeEdges] = field(default_factory=lambda: MappingProxyType({}))
