# SPDX-License-Identifier: Apache-2.0
"""A start that waits for its flow: what it answers, when, and that nothing is left of it."""

import http.client
import json
import threading
import time

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.step import Step
from argyll_engine.store.memory import MemoryFeed
from tests.api.live_server import SOON_SECONDS, LiveServer, eventually, serving
from tests.definitions import a_script_step, output

STARTED = (201, b'{"message":"","flow_id":"f"}')
FOREVER = "?wait=4m"
BODY = {"id": "f", "goals": ["s"]}


@pytest.fixture
def server():
    """A server with one step, whose work is done when a test says so."""
    with serving() as server:
        register(server, a_script_step("s", {"x": output()}))
        yield server


def register(server: LiveServer, step: Step) -> None:
    """Makes a step known."""
    server.workshop.engine.register_step(step)


class Request:
    """A start in a thread of its own."""

    def __init__(self, server, target="/engine/flow" + FOREVER, body=None, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SOON_SECONDS)
        self.connection.request("POST", target, json.dumps(body or BODY), headers)
        self.answer = None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            received = self.connection.getresponse()
        except (OSError, http.client.HTTPException):
            return  # the test has hung up
        self.answer = (received.status, received.read())
        self.headers = {name.lower(): value for name, value in received.headers.items()}

    def result(self):
        """The answer, when it has come."""
        self.thread.join(SOON_SECONDS)
        assert self.answer is not None, "no answer"
        self.connection.close()
        return self.answer


def ask(server, target, body=None, **headers):
    """The answer to a start."""
    request = Request(server, target, body, **headers)
    return request.result()


def get(server, path):
    """The answer to a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SOON_SECONDS)
    connection.request("GET", path)
    received = connection.getresponse()
    answer = (received.status, received.read())
    connection.close()
    return answer


def watchers(server):
    """Requests that watch the flow, or are about to."""
    return server.switchboard._below.get(("flow", "f"), ())


def is_watched(server):
    """Whether the watch of the flow has begun."""
    return any(("flow", "f") in reader._watched.reached for reader, _ in server.switchboard._hub._readers)


def nothing_is_left(server):
    """No watch, neither here nor in the hub."""
    watched = [reader._watched.wanted for reader, _ in server.switchboard._hub._readers]
    return not server.switchboard._below and not any(watched)


# ---- the answer --------------------------------------------------------------------------------


def test_the_state_comes_when_the_flow_ends(server):
    """The same body as a GET gives, and nothing of the wait is left."""
    request = Request(server)
    eventually(lambda: is_watched(server))
    assert request.answer is None
    server.workshop.deliver_all()
    assert (200, b'"status":"completed"') == (request.result()[0], b'"status":"completed"')
    assert get(server, "/engine/flow/f") == request.answer
    assert request.headers["access-control-allow-origin"] == "*"
    eventually(lambda: nothing_is_left(server))


def test_a_flow_that_fails_has_ended_too(server):
    """Its state says why."""
    request = Request(server)
    eventually(lambda: is_watched(server))
    (message,) = server.workshop.messages()
    server.workshop.engine.fail_work(*message[:3], "broken")
    status, body = request.result()
    assert (200, "failed", "step s failed: broken") == (status, json.loads(body)["status"], json.loads(body)["error"])


def test_the_answer_of_a_plain_start_comes_when_the_time_is_over(server):
    """Byte for byte, without another header."""
    plain = Request(server, "/engine/flow")
    assert STARTED == plain.result()
    for target, headers in (("/engine/flow?wait=50ms", {}), ("/engine/flow", {"Prefer": "wait=0.05"})):
        late = Request(server, target, **headers)
        assert STARTED == late.result()
        assert set(plain.headers) == set(late.headers)


@pytest.mark.parametrize("target", ["/engine/flow", "/engine/flow?wait=0", "/engine/flow?wait=0s", "/engine/flow?x=1"])
def test_without_a_wait_nothing_is_watched(server, target):
    """The answer comes at once."""
    assert STARTED == ask(server, target)
    assert nothing_is_left(server)


def test_a_flow_that_has_ended_long_ago(server):
    """A repeated start is answered at once."""
    assert STARTED == ask(server, "/engine/flow")
    server.workshop.deliver_all()
    assert 200 == ask(server, "/engine/flow" + FOREVER)[0]


@pytest.mark.parametrize("value", ["60", "60s", "1m", "1.5", "0.5h", "60.0"])
def test_how_a_time_can_be_written(server, value):
    """As a duration, or as plain seconds; in the query and in the header."""
    ask(server, "/engine/flow")
    server.workshop.deliver_all()
    assert 200 == ask(server, f"/engine/flow?wait={value}")[0]
    assert 200 == ask(server, "/engine/flow", Prefer=f"respond-async, Wait = {value}")[0]


@pytest.mark.parametrize(
    "value", ["", "soon", "-1s", "-1", "1d", "1e3", "inf", "nan", "30%20s", "9" * 40, "%FF", "1%00"]
)
def test_a_wait_that_is_none_is_refused(server, value):
    """With 400, and nothing is started."""
    status, body = ask(server, f"/engine/flow?wait={value}")
    assert (400, 400) == (status, json.loads(body)["status"])
    assert json.loads(body)["error"].startswith("invalid wait: ")
    assert {} == server.workshop.backend.flows


def test_a_preference_says_that_it_was_heeded(server):
    """With the seconds that were allowed."""
    ask(server, "/engine/flow")
    server.workshop.deliver_all()
    for value, applied in (("30", "wait=30"), ('"1m"', "wait=60"), ("86400", "wait=300")):
        request = Request(server, "/engine/flow", Prefer=f"wait={value}")
        assert (200, applied) == (request.result()[0], request.headers.get("preference-applied"))
    request = Request(server, "/engine/flow?wait=5", Prefer="wait=30")
    assert (200, None) == (request.result()[0], request.headers.get("preference-applied"))


@pytest.mark.parametrize("value", ["wait=soon", "wait", "wait=", "waiting=3", "wait=-3", "return=minimal"])
def test_a_preference_that_cannot_be_heeded_is_ignored(server, value):
    """As its standard demands."""
    assert STARTED == ask(server, "/engine/flow", Prefer=value)


@pytest.mark.parametrize(
    ("body", "status"), [({"id": "", "goals": ["s"]}, 400), ({"id": "f", "goals": ["?"]}, 404), ([1], 400)]
)
def test_refusals_are_those_of_a_plain_start(server, body, status):
    """And come at once."""
    plain, waiting = (ask(server, target, body) for target in ("/engine/flow", "/engine/flow" + FOREVER))
    assert status == plain[0]
    assert plain == waiting


def test_a_conflict_is_one_with_a_wait_too(server):
    """409 at once."""
    ask(server, "/engine/flow")
    assert 409 == ask(server, "/engine/flow" + FOREVER, {"id": "f", "goals": ["s"], "init": {"x": [1]}})[0]


# ---- how it waits ------------------------------------------------------------------------------


def test_many_waits_hold_no_thread(server):
    """Other requests are answered by the two threads meanwhile, and all waits end."""
    waits = [Request(server, body={"id": f"f{number}", "goals": ["s"]}) for number in range(40)]
    eventually(lambda: len(server.switchboard._below) == len(waits))
    assert 200 == get(server, "/health")[0]
    server.workshop.deliver_all()
    assert [200] * 40 == [wait.result()[0] for wait in waits]
    eventually(lambda: nothing_is_left(server))


def test_several_waits_for_one_flow(server):
    """Each gets the state."""
    waits = [Request(server) for _ in range(5)]
    eventually(lambda: len(watchers(server)) == 5)
    server.workshop.deliver_all()
    assert [200] * 5 == [wait.result()[0] for wait in waits]


def test_a_client_that_goes_frees_everything(server):
    """While it waits, or while its watch begins."""
    for begun in (watchers, is_watched, watchers):
        request = Request(server)
        eventually(lambda look=begun: look(server))
        request.connection.sock.shutdown(2)
        eventually(lambda: nothing_is_left(server))
    assert 200 == get(server, "/health")[0]


def test_the_server_stops_at_once(server):
    """Waits are answered as if their time were over."""
    request = Request(server)
    eventually(lambda: is_watched(server))
    began = time.monotonic()
    server.stop()
    assert STARTED == request.result()
    assert time.monotonic() - began < 4  # of the five seconds that open requests may take


def test_an_end_that_comes_before_the_watch_begins(server, monkeypatch):
    """It is found by looking at the state."""
    attach = server.switchboard._hub.attach

    def late(*watch):
        server.workshop.deliver_all()
        return attach(*watch)

    monkeypatch.setattr(server.switchboard._hub, "attach", late)
    assert 200 == ask(server, "/engine/flow" + FOREVER)[0]


def test_an_end_that_comes_between_watch_and_look(server, monkeypatch):
    """Its event is kept until the look is over."""
    has_ended, looks = server.switchboard._has_ended, []

    def slow(flow_id):
        looks.append(has_ended(flow_id))
        if len(looks) == 1:
            server.workshop.deliver_all()
        return looks[-1]

    monkeypatch.setattr(server.switchboard, "_has_ended", slow)
    assert 200 == ask(server, "/engine/flow" + FOREVER)[0]
    assert [False, True] == looks


def test_a_store_that_is_away_for_a_moment(server, monkeypatch):
    """Neither a watch that cannot begin, nor a state that cannot be read, is the end of a wait."""
    faults = {"attach": 1, "look": 1}
    attach, has_ended = server.switchboard._hub.attach, server.switchboard._has_ended

    def failing(name, call):
        def called(*arguments):
            if faults[name]:
                faults[name] -= 1
                raise StoreUnavailableError("flow", "gone")
            return call(*arguments)

        return called

    monkeypatch.setattr(server.switchboard._hub, "attach", failing("attach", attach))
    monkeypatch.setattr(server.switchboard, "_has_ended", failing("look", has_ended))
    request = Request(server)
    eventually(lambda: not faults["look"])
    server.workshop.deliver_all()
    assert 200 == request.result()[0]


def test_a_feed_that_has_lost_notes(server, monkeypatch):
    """The logs tell what it does not."""
    entered, lost = [], []
    read = MemoryFeed.read

    def forgetful(self, after, patience_ms):
        entered.append(after)
        reading = read(self, after, patience_ms)
        if lost or not reading.notes:
            return reading
        lost.append(reading)
        return type(reading)(notes=(), is_whole=False)

    monkeypatch.setattr(MemoryFeed, "read", forgetful)
    request = Request(server)
    eventually(lambda: is_watched(server) and entered)
    server.workshop.deliver_all()
    assert 200 == request.result()[0]
    assert lost


def test_a_large_body_and_a_chunked_one(server):
    """The bytes of the start are no part of the request for the state."""
    server.workshop.engine.start_flow("f", ("s",), {"x": ("y" * 100_000,)}, {})
    server.workshop.deliver_all()
    body = json.dumps({"id": "f", "goals": ["s"], "init": {"x": ["y" * 100_000]}}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SOON_SECONDS)
    connection.request("POST", "/engine/flow" + FOREVER, iter([body]), encode_chunked=True)
    assert 200 == connection.getresponse().status
    connection.close()
