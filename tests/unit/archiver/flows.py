# SPDX-License-Identifier: Apache-2.0
"""Flows for tests of the archiver, as their logs. No assertions."""

from typing import Any, Final

from argyll_engine.model.ids import FlowID, StepID, flow_stream
from argyll_engine.model.invocation import Succeeded
from argyll_engine.ports import EventStore
from tests.definitions import a_step, optional, output
from tests.workshop import Workshop

F: Final = FlowID("f")
OUTPUTS: Final[dict[str, Any]] = {"out": {"text": 'Grüße, "Welt" \u2028', "large": 2**70, "ratio": 1.0}}


def a_running_flow(init: dict[str, Any] | None = None) -> Workshop:
    """A workshop whose flow `f` waits for its first message."""
    workshop = Workshop(lambda _: Succeeded(outputs=OUTPUTS))
    step = a_step("s", {"in": optional(), "out": output()})
    workshop.start([step], [StepID("s")], init)
    return workshop


def an_ended_flow(init: dict[str, Any] | None = None) -> Workshop:
    """The same, run to its end."""
    workshop = a_running_flow(init)
    workshop.deliver_all()
    return workshop


def store_of(workshop: Workshop) -> EventStore:
    """The flow store."""
    return workshop.parts.stores.flows


def log_of(workshop: Workshop) -> tuple[bytes, ...]:
    """The stored events of the flow."""
    return store_of(workshop).read_log(flow_stream(F))
