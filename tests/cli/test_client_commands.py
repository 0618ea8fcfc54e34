# SPDX-License-Identifier: Apache-2.0
"""The client commands against the HTTP edge on a real socket: what they send, print and exit with."""

import json
import threading
from datetime import UTC, datetime
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from click.testing import CliRunner

from argyll_api.app import create_app
from argyll_api.cli.flows import flow
from argyll_api.cli.plans import plan
from argyll_api.cli.steps import step
from argyll_api.config import ApiConfig
from argyll_engine import errors
from argyll_engine.model.attribute import AttributeSpec
from argyll_engine.model.flow import AttributeValue, ExecutionState, FlowState, FlowStatus, StepStatus
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery, Sort
from argyll_engine.model.plan import Excluded, ExecutionPlan
from argyll_engine.model.step import Step
from tests.api.recording_engine import RecordingEngine

NINE = datetime(2026, 7, 2, 9, 0, 0, tzinfo=UTC)
STATE = FlowState(
    id="tea-1",
    plan=ExecutionPlan(goals=("steep",)),
    created_at=NINE,
    last_updated_at=NINE,
    status=FlowStatus.FAILED,
    attributes={"leaf": (AttributeValue(value="[red]green[/red]", set_at=NINE),)},
    executions={"steep": ExecutionState(status=StepStatus.FAILED, error="too hot", duration_ms=12)},
    error="step steep failed: too hot",
)


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *_args):
        """Nothing."""


@pytest.fixture
def engine():
    """The engine behind the server."""
    return RecordingEngine()


@pytest.fixture
def run(engine):
    """Runs a command against a server on a free port; gives back click's result."""
    server = make_server("127.0.0.1", 0, create_app(ApiConfig(), engine), handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    environment = {"ARGYLL_ENGINE_URL": f"http://127.0.0.1:{server.server_port}/engine/"}

    def invoke(command, *arguments, **more):
        return CliRunner().invoke(command, arguments, env=environment, **more)

    yield invoke
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("count", [1, 2])
def test_registering_steps_of_a_file(run, engine, tmp_path, count):
    """One object, or a list of them."""
    steps = [{"id": f"s{i}", "name": "S", "type": "sync"} for i in range(count)]
    file = tmp_path / "steps.json"
    file.write_text(json.dumps(steps if count > 1 else steps[0]))
    result = run(step, "register", str(file))
    assert (result.exit_code, result.stdout) == (0, "".join(f"Step registered: s{i}\n" for i in range(count)))
    assert [call[1].id for call in engine.calls] == [f"s{i}" for i in range(count)]


def test_registering_from_stdin_for_a_machine(run):
    """`-` reads stdin, `--json` prints the answer."""
    result = run(step, "register", "-", "--json", input='{"id": "S!", "name": "n"}')
    assert json.loads(result.stdout)["step"]["id"] == "s"


def test_a_refusal_goes_to_stderr(run, engine):
    """With exit code 1 and the text of the engine."""
    engine.error = errors.StepExistsError("s")
    result = run(step, "register", "-", input="{}")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: step exists: s\n")


def test_a_file_that_is_no_json(run, engine):
    """Exit code 1, the name of the file, and nothing is sent."""
    result = run(step, "register", "-", input="{")
    assert (result.exit_code, engine.calls) == (1, [])
    assert "<stdin> is not JSON" in result.stderr


def test_starting_a_flow(run, engine):
    """Values are JSON where they read as JSON; a name given twice has two candidates."""
    result = run(
        flow,
        "start",
        "My tea",
        "-g",
        "steep",
        "--goal",
        "pour",
        "-i",
        "n=5",
        "-i",
        "n=six",
        "-i",
        's="7"',
        "-l",
        "k=a=b",
    )
    assert (result.exit_code, result.stdout) == (0, "Flow started: my-tea\n")
    assert engine.calls == [("start_flow", "my-tea", ("steep", "pour"), {"n": (5, "six"), "s": ("7",)}, {"k": "a=b"})]


def test_initial_values_of_a_file(run, engine):
    """A list is a list of candidates; the command line adds to it."""
    run(flow, "start", "f", "-g", "g", "--init-file", "-", "-i", "x=3", input='{"x": [1, 2], "y": "v"}')
    assert engine.calls[0][3] == {"x": (1, 2, 3), "y": ("v",)}


def test_a_pair_needs_its_equals_sign(run, engine):
    """A usage error: exit code 2, nothing sent."""
    result = run(flow, "start", "f", "-g", "g", "-i", "novalue")
    assert (result.exit_code, engine.calls) == (2, [])


def test_showing_a_flow(run, engine):
    """Status, executions and attributes; texts of users are no markup."""
    engine.queries.flow_state = STATE
    result = run(flow, "get", "tea-1")
    assert result.stdout.startswith("tea-1: failed (step steep failed: too hot)\n")
    assert ["steep", "failed", "12", "too", "hot"] in [line.split() for line in result.stdout.splitlines()]
    assert ["leaf", '"[red]green[/red]"', "init"] in [line.split() for line in result.stdout.splitlines()]


def test_showing_a_flow_to_a_machine(run, engine):
    """The answer of the engine as it is."""
    engine.queries.flow_state = STATE
    assert json.loads(run(flow, "get", "tea-1", "--json").stdout)["executions"]["steep"]["duration"] == 12


def test_ids_are_escaped(run, engine):
    """An id is one segment of the path, whatever is in it."""
    engine.queries.error = errors.FlowNotFoundError("a b?c")
    result = run(flow, "get", "a b?c")
    assert (result.exit_code, result.stderr) == (1, "Error: flow not found: a b?c\n")
    assert engine.queries.asked == [("flow", "a b?c")]


def test_showing_a_log(run, engine):
    """One line an event: number, time, type, step, the rest."""
    engine.queries.log = (
        b'{"sequence":0,"timestamp":"2026-07-02T09:00:00.123456Z","type":"flow_started","data":{"flow_id":"f","plan":{}}}',
        b'{"sequence":1,"timestamp":"2026-07-02T09:00:01Z","type":"step_failed","data":{"flow_id":"f","step_id":"s","error":"x"}}',
    )
    lines = [line.split() for line in run(flow, "events", "f").stdout.splitlines()]
    assert lines[1:] == [
        ["0", "2026-07-02", "09:00:00.123", "flow_started"],
        ["1", "2026-07-02", "09:00:01", "step_failed", "s", '{"error":', '"x"}'],
    ]


def test_listing_flows(run, engine):
    """Filters reach the engine; the latest come first."""
    engine.queries.page = FlowPage(items=(FlowItem(id="tea-1", status=FlowStatus.ACTIVE, at=NINE),), total=3)
    result = run(flow, "list", "--status", "active", "--prefix", "te", "-l", "k=v", "--limit", "1")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["flow", "status", "since"],
        ["tea-1", "active", "2026-07-02", "09:00:00"],
        ["1", "of", "3", "flows"],
    ]
    wanted = FlowQuery(id_prefix="te", labels={"k": "v"}, statuses=(FlowStatus.ACTIVE,), limit=1, sort=Sort.RECENT_DESC)
    assert engine.queries.asked == [("query", wanted)]


def test_showing_a_plan(run, engine):
    """Steps with their inputs and outputs, what is missing, what was left out."""
    steep = Step(
        id="steep",
        name="S",
        type="sync",
        attributes={"t": AttributeSpec(role="output"), "w": AttributeSpec(role="required")},
    )
    engine.plan = ExecutionPlan(
        goals=("steep",), required=("w",), steps={"steep": steep}, excluded=Excluded(satisfied={"boil": ("hot",)})
    )
    result = run(plan, "steep", "-i", "hot=true")
    assert result.stdout.splitlines()[1].split() == ["steep", "sync", "w", "t"]
    assert result.stdout.splitlines()[2:] == ["still required: w", "left out: boil (satisfied: hot)"]
    assert engine.calls == [("preview_plan", ("steep",), {"hot": (True,)})]


def test_a_store_that_is_away_is_worth_another_try(run, engine):
    """Exit code 3, as for an engine that is away."""
    engine.queries.error = errors.StoreUnavailableError("flow", "gone")
    assert run(flow, "events", "f").exit_code == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://host.invalid:1", "nonsense://x"])
def test_no_engine_at_the_address(url):
    """Exit code 3 and one line that names the address."""
    result = CliRunner().invoke(flow, ["get", "x", "--url", url])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (3, "", 1)
    assert result.stderr.startswith(f"Error: no engine at {url}: ")
