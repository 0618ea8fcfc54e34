# SPDX-License-Identifier: Apache-2.0
"""One row for each event, command, effect and status: in the tables of the code, and in docs/events.md."""

import ast
import inspect
import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType, ModuleType
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import fields

from argyll_engine.aggregates import CATALOG_DECISIONS, CLUSTER_DECISIONS
from argyll_engine.codec import decode, encode_recorded
from argyll_engine.codec.events import CODECS
from argyll_engine.decide import FLOW_DECISIONS
from argyll_engine.dispatch import RENDERERS
from argyll_engine.evolve import catalog as catalog_folds
from argyll_engine.evolve import cluster as cluster_folds
from argyll_engine.evolve import flow as flow_folds
from argyll_engine.model import commands, effects, events
from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.events import CATALOG_EVENTS, CLUSTER_EVENTS, FLOW_EVENTS, Recorded
from argyll_engine.model.flow import FlowStatus, StepStatus, WorkStatus
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.model.step import Step
from argyll_engine.policy.transitions import FLOW, STEP, WORK
from tests.architecture.sources import ROOT, packages
from tests.fakes import START

EVENTS = (*FLOW_EVENTS, *CATALOG_EVENTS, *CLUSTER_EVENTS)
PAGE = (ROOT / "docs" / "events.md").read_text("utf-8")
NOW, _, LATER = PAGE.partition("\n## Later\n")
EVENT_ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<fields>[^|]*) \| (?P<places>[^|]*) \|", re.MULTILINE)
COMMAND_ROW = re.compile(r"^\| `(?P<name>[A-Z]\w+)` \| [^|]* \| (?P<places>[^|]*) \|", re.MULTILINE)

# A value for every field of an event, none of them empty, so that nothing is left out of its JSON.
EXAMPLES: Mapping[str, Any] = MappingProxyType(
    {
        "plan": ExecutionPlan(goals=("s",), required=(), steps={}, attributes={}),
        "init": {"a": (1,)},
        "metadata": {"k": "v"},
        "labels": {"k": "v"},
        "result": {"a": 1},
        "status": FlowStatus.COMPLETED,
        "inputs": {"a": 1},
        "outputs": {"a": 1},
        "work_items": {"t": {}},
        "unsatisfied": ("a",),
        "duration_ms": 1,
        "retry_count": 1,
        "next_retry_at": START,
        "step": Step(id="s", name="s", type="script"),
    }
)


def _in_module(module: ModuleType) -> set[type]:
    """The values that a module of the model defines."""
    members = inspect.getmembers(module, inspect.isclass)
    return {cls for _, cls in members if cls.__module__ == module.__name__ and issubclass(cls, Struct)}


def _wire_fields(event_type: type) -> set[str]:
    values = {field.name: EXAMPLES.get(field.name, "x") for field in fields(event_type)}
    if event_type in CLUSTER_EVENTS:
        values["status"] = HealthStatus.HEALTHY
    recorded = Recorded(event=event_type(**values), sequence=0, at=START)
    return set(decode(encode_recorded(("flow", "f"), recorded))["data"])


def _quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def _makers(class_name: str) -> set[str]:
    """Files of the decisions that make a value of this class."""
    return {
        module.path.removeprefix("argyll_engine/")
        for module in packages()
        if module.path.startswith("argyll_engine/decide/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == class_name
    }


# ---- events ----------------------------------------------------------------------------------


def test_every_event_class_is_of_an_aggregate() -> None:
    """No event is defined beside the three unions."""
    assert {*EVENTS, events.Recorded} == _in_module(events)


def test_every_event_has_a_codec() -> None:
    """And every codec an event."""
    assert set(EVENTS) == set(CODECS)


@pytest.mark.parametrize("event_type", EVENTS)
def test_the_stored_name_is_the_name_of_the_class(event_type: type) -> None:
    """`StepStarted` is stored as `step_started`."""
    assert re.sub(r"(?<!^)(?=[A-Z])", "_", event_type.__name__).lower() == CODECS[event_type].name


def test_every_event_has_a_fold() -> None:
    """Each has its row."""
    assert set(FLOW_EVENTS) == set(flow_folds.FOLDS)
    assert set(CATALOG_EVENTS) == set(catalog_folds.FOLDS)
    assert set(CLUSTER_EVENTS) == set(cluster_folds.FOLDS)


def test_the_page_has_a_row_for_each_event() -> None:
    """Those that are said to come later are not there yet."""
    names = [codec.name for codec in CODECS.values()]
    assert sorted(names) == sorted(row["name"] for row in EVENT_ROW.finditer(NOW))
    assert set() == set(names) & {row["name"] for row in EVENT_ROW.finditer(LATER)}


@pytest.mark.parametrize("event_type", EVENTS)
def test_the_page_names_the_fields_and_the_places(event_type: type) -> None:
    """Fields as they are stored, and the files whose decisions raise the event."""
    (row,) = (row for row in EVENT_ROW.finditer(NOW) if row["name"] == CODECS[event_type].name)
    assert _wire_fields(event_type) == _quoted(row["fields"])
    assert _makers(event_type.__name__) == _quoted(row["places"])


# ---- commands and effects --------------------------------------------------------------------


def test_every_command_has_a_decision() -> None:
    """And every decision a command."""
    decisions = {*FLOW_DECISIONS, *CATALOG_DECISIONS, *CLUSTER_DECISIONS}
    assert set(commands.COMMANDS) == decisions == _in_module(commands)


def test_every_effect_has_a_renderer() -> None:
    """And every renderer an effect."""
    assert set(effects.EFFECTS) == set(RENDERERS) == _in_module(effects)


def test_the_page_has_a_row_for_each_command() -> None:
    """With the file of its decision."""
    tables = {**FLOW_DECISIONS, **CATALOG_DECISIONS, **CLUSTER_DECISIONS}
    places = {cls.__name__: f"{decision.__module__.replace('.', '/')}.py" for cls, decision in tables.items()}
    section = PAGE.partition("\n## Commands\n")[2].partition("\n## ")[0]
    documented = {row["name"]: row["places"].strip("`") for row in COMMAND_ROW.finditer(section)}
    assert {name: path.removeprefix("argyll_engine/") for name, path in places.items()} == documented


def test_the_page_names_each_effect() -> None:
    """Every effect has its line."""
    assert [] == [cls.__name__ for cls in effects.EFFECTS if f"`{cls.__name__}`" not in PAGE]


# ---- statuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(("statuses", "table"), [(FlowStatus, FLOW), (StepStatus, STEP), (WorkStatus, WORK)])
def test_every_status_is_in_its_table(statuses: type[StrEnum], table: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    """Each has a row, and each but the first is reached by another."""
    first, *others = statuses
    assert {*statuses} == set(table)
    assert {*others} <= {after for before, following in table.items() for after in following if after != before}
    assert {first, *others} >= {after for following in table.values() for after in following}
