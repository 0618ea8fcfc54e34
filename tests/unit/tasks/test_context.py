# SPDX-License-Identifier: Apache-2.0
"""Which ids a log line of a worker carries without saying so itself."""

import logging
from types import SimpleNamespace
from typing import Any

from celery import Celery

from argyll_engine.dispatch import RUN_WORK
from argyll_engine.tasks.context import calling, task_context, together

RECORD = logging.makeLogRecord({})


def test_a_line_outside_of_tasks_has_no_ids() -> None:
    """Nothing is said where nothing runs."""
    assert task_context(RECORD) == {}


def test_a_line_within_a_task_has_its_ids() -> None:
    """The arguments of the task that runs are the ids, under the names of the log."""
    app, found = Celery("test", set_as_current=False), []

    @app.task(name=RUN_WORK, bind=True, shared=False)
    def run_work(self: Any, *args: object) -> None:
        found.append(task_context(RECORD))

    run_work.apply(("f", "s", "t", 2), task_id="id-1")
    expected = {"task": RUN_WORK, "task_id": "id-1", "flow_id": "f", "step_id": "s", "token": "t", "attempt": 2}
    assert [expected] == found


def test_lines_of_celery_say_themselves_which_task_they_are_about() -> None:
    """The ids come from what Celery attaches to its own lines; arguments that it made a text of are left out."""
    told = [{"id": "id-1", "name": RUN_WORK, "args": args} for args in (["f", "s", "t", 1], "('f', 's')")]
    ids = [task_context(logging.makeLogRecord({"data": data})) for data in told]
    assert ids == [
        {"task": RUN_WORK, "task_id": "id-1", "flow_id": "f", "step_id": "s", "token": "t", "attempt": 1},
        {"task": RUN_WORK, "task_id": "id-1"},
    ]


def test_a_line_of_a_batch_about_a_flow_is_of_the_only_task_for_it() -> None:
    """Where a batch has two tasks for a flow, neither is guessed."""
    requests = [SimpleNamespace(name=RUN_WORK, id=f"id-{n}", args=(flow, "s", "t", 1)) for n, flow in enumerate("ffg")]
    with together(requests):
        found = [task_context(logging.makeLogRecord({"argyll_fields": {"flow_id": flow}})) for flow in "fgh"]
    assert [None, "id-2", None] == [ids.get("task_id") for ids in found]


def test_a_line_of_a_batch_is_about_the_task_whose_token_it_names() -> None:
    """Of tasks that run together the line's own token tells which is meant; without one, none is."""
    requests = [SimpleNamespace(name=RUN_WORK, id=f"id-{token}", args=("f", "s", token, 1)) for token in "tu"]
    with together(requests):
        found = [task_context(logging.makeLogRecord({"argyll_fields": fields})) for fields in ({"token": "u"}, {})]
    assert [
        {"task": RUN_WORK, "task_id": "id-u", "flow_id": "f", "step_id": "s", "token": "u", "attempt": 1},
        {},
    ] == found
    assert task_context(logging.makeLogRecord({"argyll_fields": {"token": "u"}})) == {}


def test_a_line_about_a_call_under_way_is_of_its_task() -> None:
    """No thread is its own, so the token that the line names tells which task is meant."""
    calling["tag"] = SimpleNamespace(name=RUN_WORK, id="id-t", args=("f", "s", "t", 1))
    try:
        found = [task_context(logging.makeLogRecord({"argyll_fields": {"token": token}})) for token in "tu"]
    finally:
        calling.clear()
    assert ["id-t", None] == [ids.get("task_id") for ids in found]
