# SPDX-License-Identifier: Apache-2.0
"""The lines about failures that operators watch for."""

import logging

import pytest

from argyll_engine.flow_log import log_failures
from argyll_engine.log import fields_of
from tests.definitions import a_step
from tests.fakes import token_of
from tests.scenario import Scenario, complete, fail, given, run


def _lines(caplog: pytest.LogCaptureFixture, scenario: Scenario) -> list[tuple[str, str, dict[str, object]]]:
    with caplog.at_level(logging.DEBUG):
        log_failures([(scenario.state, scenario.log)])
    return [(record.levelname, record.message, dict(fields_of(record))) for record in caplog.records]


def test_failed_work_and_its_flow_have_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """Both lines name what failed, and why, in the words of the deployment guide."""
    scenario = given([a_step("a")], ["a"]).when(run("a"), fail("a", "refused"))
    ids = {"flow_id": "f", "step_id": "a", "token": token_of("a"), "attempt": 1, "error": "refused"}
    lines = _lines(caplog, scenario)
    assert [("ERROR", "step execution failed", ids), ("ERROR", "flow failed")] == [lines[0], lines[1][:2]]
    assert ("f", True) == (lines[1][2]["flow_id"], "refused" in str(lines[1][2]["error"]))


def test_what_goes_well_has_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """A flow that succeeds writes nothing."""
    assert [] == _lines(caplog, given([a_step("a")], ["a"]).when(run("a"), complete("a", {})))
