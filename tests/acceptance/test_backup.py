# SPDX-License-Identifier: Apache-2.0
"""A backup of a deployment that works, restored into another one, whose flows go on where the first one's stood."""

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.client import eventually, fresh_id
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, flow_step, script, sync

pytestmark = pytest.mark.slow


def _backup(stack: Stack, *words: str) -> None:
    argv = (*stack.api.argv[:4], "backup", *words)
    done = subprocess.run(argv, env=stack.api.environment, capture_output=True, text=True, check=False, timeout=120)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_restored_flows_go_on(stack: Stack, services: StepServices, tmp_path: Path) -> None:
    """Ended flows are as they were; one in the middle of a call in a sub-flow makes it again and ends."""
    gate = services.gate()
    services["call"].answers(Reply(body={"called": 2}, gate=gate), Reply(body={"called": 2}))
    stack.client.register(
        script("first", "return {begun = seed}", attributes(["seed"], ["begun"])),
        sync("call", services["call"].url, attributes(["begun"], ["called"])),
        flow_step("sub", ["call"], attributes(["seed"], ["called"])),
    )
    ended, active = fresh_id("ended"), fresh_id("active")
    before = stack.client.run(ended, ["first"], {"seed": 1})
    stack.client.start(active, ["sub"], {"seed": 1})
    eventually("the call", lambda: services["call"].calls)
    _backup(stack, "create", str(tmp_path / "backups"))
    other = Stack(tmp_path)
    try:
        other.redis.start()
        _backup(other, "restore", str(tmp_path / "backups"))
        other.mend()
        assert before == other.client.state(ended)
        state = other.client.checked_end(active)
        assert ("completed", 2) == (state["status"], state["attributes"]["called"][0]["value"])
        assert 1 == len(set(services["call"].tokens))
        assert "completed" == other.client.run(fresh_id("new"), ["first"], {"seed": 2})["status"]
    finally:
        other.stop()
        gate.set()
        stack.client.await_end(active)
