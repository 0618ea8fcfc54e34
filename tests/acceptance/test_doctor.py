# SPDX-License-Identifier: Apache-2.0
"""`argyll doctor` on a running deployment, and on one that lost parts."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.acceptance.stack import BROKER_VARIABLE, STEPS, Stack


def _doctor(stack: Stack, **variables: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and what was found, by check."""
    argv = (*stack.api.argv[:4], "doctor", "--json", "--patience", "3")
    environment = stack.api.environment | {"WEBHOOK_BASE_URL": stack.client.base_url} | variables
    said = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=120)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(said.stdout):
        found.setdefault(finding["check"], []).append(finding)
    return said.returncode, found


def test_a_running_deployment_has_no_fault(stack: Stack) -> None:
    """Stores, workers of all kinds, beat, clocks, queues and the API are found well."""
    code, found = _doctor(stack)
    assert 0 == code, found
    is_foreign = bool(os.environ.get(BROKER_VARIABLE))
    well = ("engine store", "flow store", "beat", "versions", "webhooks", "broker" if is_foreign else "queues")
    assert {"ok"} == {finding["level"] for check in well for finding in found[check]}
    assert "2 worker processes answer" == found["workers"][0]["text"]


@pytest.mark.slow
def test_a_deployment_without_workers_for_steps_is_told_so(stack: Stack) -> None:
    """The queue that nobody serves is named, with what to start; in production the address for webhooks is at fault."""
    stack.kill_worker(STEPS)
    code, found = _doctor(stack, ENV="production", LOG_LEVEL="error")
    faults = [finding["text"] for findings in found.values() for finding in findings if finding["level"] == "fault"]
    assert 1 == code
    assert "nobody takes messages from the queue steps" in faults
    assert any("which only this machine reaches" in text for text in faults)
