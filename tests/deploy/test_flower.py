# SPDX-License-Identifier: Apache-2.0
"""`argyll flower` on real workers: what docs/flower.md says that it shows."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.client import eventually, fresh_id
from tests.acceptance.part import free_port
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, script
from tests.deploy.tools import ROOT


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole Argyll."""
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def flower(stack: Stack) -> Iterator[str]:
    """The address of a Flower that has told the workers to report their tasks."""
    port = str(free_port())
    environment = {**os.environ, **stack.api.environment, "FLOWER_UNAUTHENTICATED_API": "1"}
    words = [sys.executable, "-P", "-m", "argyll_api.cli", "flower", "--port", port]
    with stack.log.open("ab") as log, subprocess.Popen(words, env=environment, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            eventually("an answer of Flower", lambda: _get(f"{url}/healthcheck") is not None, 90)
            yield url
        finally:
            process.terminate()


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            body = answer.read()
    except (urllib.error.URLError, OSError):
        return None
    return json.loads(body) if body[:1] == b"{" else body


def test_every_task_has_its_row_on_the_page() -> None:
    """docs/flower.md explains the arguments of each task that workers know."""
    modules = (ROOT / "argyll_engine/dispatch.py", ROOT / "argyll_archiver/tasks.py")
    names = {name for path in modules for name in re.findall(r': Final = "(argyll\.\w+)"', path.read_text("utf-8"))}
    page = (ROOT / "docs/flower.md").read_text("utf-8")
    assert names and set() == names - set(re.findall(r"`(argyll\.\w+)`", page))


@pytest.mark.slow
def test_workers_are_listed_by_name(flower: str) -> None:
    """Each process with the queues that it serves."""

    def workers() -> dict[str, list[str]]:
        found = _get(f"{flower}/api/workers?refresh=1") or {}
        return {
            name.partition("@")[0]: [queue["name"] for queue in worker.get("active_queues", ())]
            for name, worker in found.items()
        }

    eventually("both workers", lambda: {"steps1", "work1"} <= set(workers()), 90)
    assert ["steps"] == workers()["steps1"] and {"work", "beat"} <= set(workers()["work1"])


@pytest.mark.slow
def test_tasks_have_names_and_ids_that_people_can_read(stack: Stack, flower: str) -> None:
    """The name says what is done, the arguments for which flow and step: `('order-1', 'pay', token, attempt)`."""
    stack.client.register(script("brew", "return {tea = 1}", attributes(gives=("tea",))))

    def tasks() -> list[Any]:
        # Workers report from when Flower has asked them to, so a flow may run unseen.
        flow_id = fresh_id("seen")
        stack.client.run(flow_id, ["brew"])
        found = (_get(f"{flower}/api/tasks?taskname=argyll.run_work") or {}).values()
        return [task for task in found if f"('{flow_id}', 'brew', " in (task["args"] or "")]

    task, *_ = eventually("a task of a flow", tasks, 90)
    assert "argyll.run_work" == task["name"] and task["worker"].startswith("steps1@")
