# SPDX-License-Identifier: Apache-2.0
"""The Python client against the whole edge: groups, waiting, following, and connections that break."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner

from argyll_api import client as api
from argyll_api.cli.flows import flow as flow_command
from argyll_api.client import Client, Retries, Script, Step, output, required
from argyll_api.client.webhooks import WorkAddress
from argyll_engine.model.invocation import Accepted, Succeeded
from tests.api.live_server import SOON_SECONDS, eventually, serving

QUICK = Retries(count=20, first_seconds=0.01, most_seconds=0.05)
FIRST = Step(id="first", script=Script("lua", "return {one = 1}"), attributes={"one": output("number")})
SECOND = Step(
    id="second",
    script=Script("lua", "return {two = 2}"),
    attributes={"one": required("number"), "two": output("number")},
)
CALL = Step(id="call", type="async", http=api.Http(endpoint="http://h/"), attributes={"x": output()})


@pytest.fixture
def server():
    """A server whose work is done when a test says so."""
    with serving() as server:
        server.workshop.client.answers = lambda call: Succeeded(outputs={"one": 1, "two": 2})
        yield server


@pytest.fixture
def client(server):
    """A client of it."""
    with Client(server.url, retries=QUICK) as client:
        yield client


@pytest.fixture
def aside():
    """Runs something beside the test; gives back its future."""
    with ThreadPoolExecutor(8) as pool:
        yield pool.submit


def is_watched(server, flow_id="f"):
    """Whether somebody watches the flow."""
    return any(("flow", flow_id) in reader._watched.reached for reader, _ in server.switchboard._hub._readers)


def break_connections(server):
    """Ends every WebSocket without a word."""

    def cut():
        for connection in list(server.server.server_state.connections):
            if hasattr(connection, "_abort"):
                connection._abort()

    server.switchboard._loop.call_soon_threadsafe(cut)


# ---- steps, plans, health ----------------------------------------------------------------------


def test_the_life_of_a_step(client):
    """Registered, found, updated, put, removed."""
    assert ("Step registered", FIRST.id) == (client.steps.register(FIRST).message, client.steps.get("first").id)
    assert "Step registered" == client.steps.register(FIRST).message
    changed = Step(id="first", name="New", script=FIRST.script, attributes=FIRST.attributes)
    with pytest.raises(api.ConflictError):
        client.steps.register(changed)
    assert "Step updated" == client.steps.put(changed).message
    assert ["New"] == [step.name for step in client.steps.list()]
    assert "Step updated" == client.steps.update(FIRST).message
    client.steps.unregister("first")
    with pytest.raises(api.NotFoundError, match="step not found: first"):
        client.steps.get("first")
    with pytest.raises(api.InvalidError, match="invalid step"):
        client.steps.register({"id": "x"})


def test_plans_catalog_and_health(client):
    """What the engine knows of its steps."""
    for step in (FIRST, SECOND):
        client.steps.register(step)
    plan = client.plan(["second"])
    assert (("second",), {"first", "second"}) == (plan.goals, set(plan.steps))
    assert {"satisfied": {"first": ("one",)}} == client.plan(["second"], {"one": 1}).excluded
    assert (("first",), ("second",)) == (
        client.catalog().attributes["one"].providers,
        client.catalog().attributes["one"].consumers,
    )
    assert {"first", "second"} == set(client.health()["argyll-1"].health)
    assert api.HealthStatus.HEALTHY == client.step_health("first").status
    assert ["step_registered"] * 2 == [event.type for event in client.catalog_events()]
    assert client.is_alive()


# ---- flows -------------------------------------------------------------------------------------


def test_a_flow_that_is_run(server, client, aside):
    """One call starts it, waits for it and gives its state."""
    client.steps.register(FIRST)
    running = aside(client.flows.run, "My flow", ["first"], labels={"k": "v"})
    eventually(lambda: is_watched(server, "my-flow"))
    server.workshop.deliver_all()
    flow = running.result(SOON_SECONDS)
    assert ("my-flow", api.FlowStatus.COMPLETED, 1, {"k": "v"}) == (
        flow.id,
        flow.status,
        flow.value("one"),
        flow.labels,
    )
    assert ("completed", ["my-flow"]) == (client.flows.status("my-flow"), [item.id for item in client.flows.list()])
    assert ["my-flow"] == [item.id for item in client.flows.query(api.FlowQuery(labels={"k": "v"}))]


@pytest.mark.parametrize("act", ["run", "wait", "follow"])
def test_patience_comes_to_an_end(client, act):
    """With an error of its own; the flow goes on."""
    client.steps.register(FIRST)
    client.flows.start("f", ["first"])
    with pytest.raises(api.NotInTimeError):
        if act == "run":
            client.flows.run("f", ["first"], timeout_seconds=0.1)
        elif act == "wait":
            client.flows.wait("f", timeout_seconds=0.1)
        else:
            list(client.flows.follow("f", timeout_seconds=0.1))
    assert "active" == client.flows.status("f")


@pytest.mark.parametrize("act", ["wait", "follow"])
def test_a_flow_that_is_not_there(client, act):
    """It is not waited for."""
    with pytest.raises(api.NotFoundError):
        client.flows.wait("f") if act == "wait" else list(client.flows.follow("f"))


def test_waiting_for_a_flow_that_has_ended(server, client):
    """It is there at once, for those that wait and those that follow."""
    client.steps.register(FIRST)
    client.flows.start("f", ["first"])
    server.workshop.deliver_all()
    assert client.flows.wait("f", timeout_seconds=0).has_ended
    log = client.flows.events("f")
    assert log == tuple(client.flows.follow("f"))
    assert log[3:] == tuple(client.flows.follow("f", after=2))
    assert [] == list(client.flows.follow("f", after=len(log) - 1))


def test_following_a_flow_over_broken_connections(server, client, aside):
    """Every event once, in order, whatever breaks and whatever happens meanwhile."""
    for step in (FIRST, SECOND):
        client.steps.register(step)
    client.flows.start("f", ["second"])
    seen = []
    following = aside(lambda: seen.extend(event.sequence for event in client.flows.follow("f")))
    waiting = aside(client.flows.wait, "f")
    for _ in (FIRST, SECOND):
        eventually(lambda: server.switchboard.connections == 2)
        break_connections(server)
        eventually(lambda: server.switchboard.connections == 0)
        server.workshop.deliver_some()
    following.result(SOON_SECONDS)
    assert list(range(len(client.flows.events("f")))) == seen
    assert waiting.result(SOON_SECONDS).has_ended


def test_events_come_as_they_happen(server, client):
    """Not only at the end."""
    client.steps.register(FIRST)
    client.flows.start("f", ["first"])
    events = client.flows.follow("f", timeout_seconds=SOON_SECONDS)
    assert ["flow_started", "step_started"] == [next(events).type, next(events).type]
    server.workshop.deliver_all()
    assert "flow_deactivated" == list(events)[-1].type
    eventually(lambda: server.switchboard.connections == 0)


def test_who_stops_following_leaves_nothing_behind(server, client):
    """Its socket is closed."""
    client.steps.register(FIRST)
    client.flows.start("f", ["first"])
    events = client.flows.follow("f")
    next(events)
    events.close()
    eventually(lambda: server.switchboard.connections == 0)


def test_a_webhook_ends_the_work(server, client):
    """With outputs, or for good with a failure."""
    server.workshop.client.answers = lambda _: Accepted()
    client.steps.register(CALL)
    for flow_id in ("good", "bad"):
        client.flows.start(flow_id, ["call"])
    server.workshop.deliver_some()
    items = {
        flow_id: WorkAddress(flow_id, "call", *client.flows.get(flow_id).executions["call"].work_items)
        for flow_id in ("good", "bad")
    }
    client.webhooks.complete(items["good"], {"x": 5})
    client.webhooks.fail(items["bad"], "no more")
    client.webhooks.complete(items["bad"], {"x": 5})
    assert (5, "step call failed: no more") == (client.flows.wait("good").value("x"), client.flows.wait("bad").error)
    with pytest.raises(api.InvalidError, match="Work item not found"):
        client.webhooks.complete(WorkAddress("good", "call", "none"))


def test_threads_may_share_a_client(server, client):
    """Each gets its own answers."""
    client.steps.register(FIRST)
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda n: client.flows.start(f"f{n}", ["first"]), range(40)))
        assert [f"f{n}" for n in range(40)] == started
        assert started == [flow.id for flow in pool.map(client.flows.get, started)]
    assert set(started) == {item.id for item in client.flows.query(api.FlowQuery(limit=7))}


# ---- many at once ------------------------------------------------------------------------------


def test_many_starts(server, client, monkeypatch):
    """Results in order, refusals among them, as many requests as it takes, and none before its results are used."""
    monkeypatch.setattr("argyll_api.client.flows.STARTS_AT_ONCE", 2)
    client.steps.register(SECOND)
    starts = [api.Start(flow_id=f"F {n}", goals=["second"], init={"one": n} if n != 1 else {}) for n in range(5)]
    results = client.flows.start_many(iter(starts))
    assert api.StartResult(status=201, flow_id="f-0", error="") == next(results)
    assert ["f-0"] == [item.id for item in client.flows.list()]
    rest = list(results)
    assert [400, 201, 201, 201] == [result.status for result in rest]
    assert "required inputs not provided: [one]" == rest[0].error
    assert [False, True, True, True] == [result.is_started for result in rest]
    server.workshop.deliver_all()
    assert "completed" == client.flows.wait("f-4").status


def test_the_command_for_many_starts(server, client):
    """A line a start; what is refused is shown and makes the exit code, and the same input again changes nothing."""
    client.steps.register(SECOND)

    def run(text, *words):
        return CliRunner().invoke(flow_command, ["start-many", *words, "--url", server.url], input=text)

    first = '{"id": "a", "goals": ["second"], "init": {"one": 1}}\n'
    lines = first + '\n{"id": "b", "goals": ["second"], "labels": {"k": "v"}}\n'
    for _ in range(2):
        result = run(lines)
        assert 1 == result.exit_code
        assert "refused: b: required inputs not provided: [one]\n1 started, 1 refused\n" == result.stdout
    assert '{"flow_id": "a", "status": 201, "error": ""}\n' == run(first, "--json").stdout
    wrong = run('{"id": "c", "goals": ["second"], "init": {"one": [1, 2]}}\n{"goals": []}\n')
    assert (1, True) == (wrong.exit_code, "line 2: no start of a flow" in wrong.stderr)
    assert 1 == run("5").exit_code


# ---- the commands that wait --------------------------------------------------------------------


def test_the_commands_that_wait(server, client):
    """They show what `get` and `events` show, and exit by how the flow has ended."""
    client.steps.register(FIRST)
    client.flows.start("f", ["first"])

    def run(*words):
        return CliRunner().invoke(flow_command, [*words, "--url", server.url])

    assert (4, 4) == (run("wait", "f", "--timeout", "0.1").exit_code, run("follow", "f", "--timeout", "0.1").exit_code)
    timer = threading.Timer(0.1, server.workshop.deliver_all)
    timer.start()
    waited = run("wait", "f")
    timer.join()
    assert (0, run("get", "f").stdout) == (waited.exit_code, waited.stdout)
    lines = run("follow", "f", "--after", "0").stdout.splitlines()
    assert [[str(event.sequence), event.type] for event in client.flows.events("f")][1:] == [
        [line.split()[0], line.split()[3]] for line in lines
    ]
    assert 1 == run("wait", "missing").exit_code


def test_a_flow_that_failed_is_an_exit_code(server, client):
    """So that scripts can tell."""
    client.steps.register(CALL)
    client.flows.start("f", ["call"])
    (token,) = client.flows.get("f").executions["call"].work_items
    client.webhooks.fail(WorkAddress("f", "call", token), "no more")
    result = CliRunner().invoke(flow_command, ["wait", "f", "--json", "--url", server.url])
    assert (1, '"failed"') == (result.exit_code, '"failed"' if '"status": "failed"' in result.stdout else "")
