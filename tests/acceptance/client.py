# SPDX-License-Identifier: Apache-2.0
"""What a client of the API does: requests over real HTTP, and waiting for what is promised to happen."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.acceptance.folding import faults_of_log, fold

T = TypeVar("T")

PATIENCE_SECONDS = 45.0
POLL_SECONDS = 0.02
TERMINAL = ("completed", "failed")


def eventually(what: str, look: Callable[[], T | None], patience_seconds: float = PATIENCE_SECONDS) -> T:
    """What `look` finds, as soon as it is truthy; `what` says for people what did not happen in time."""
    deadline = time.monotonic() + patience_seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {patience_seconds:.0f} s"
        time.sleep(POLL_SECONDS)
    return found


def fresh_id(stem: str) -> str:
    """An id that no other test has."""
    return f"{stem}-{uuid.uuid4().hex[:10]}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer; `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def request(url: str, method: str = "GET", body: Any = None, content_type: str = "application/json") -> Answer:
    """The answer to one request, whatever its status; bytes are sent as they are. Raises OSError without an answer."""
    payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    wanted = urllib.request.Request(url, payload, {"Content-Type": content_type}, method=method)
    try:
        with urllib.request.urlopen(wanted, timeout=30) as received:
            return _answer(received)
    except urllib.error.HTTPError as exc:
        with exc:
            return _answer(exc)


def _answer(received: Any) -> Answer:
    headers = {name.lower(): value for name, value in received.headers.items()}
    return Answer(status=received.status, headers=headers, body=received.read())


class Client:
    """One API."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def get(self, path: str) -> Answer:
        """GET."""
        return request(self.base_url + path)

    def post(self, path: str, body: Any) -> Answer:
        """POST."""
        return request(self.base_url + path, "POST", body)

    def put(self, path: str, body: Any) -> Answer:
        """PUT."""
        return request(self.base_url + path, "PUT", body)

    def delete(self, path: str) -> Answer:
        """DELETE."""
        return request(self.base_url + path, "DELETE")

    def register(self, *steps: Mapping[str, Any]) -> None:
        """Registers steps."""
        for step in steps:
            answer = self.post("/engine/step", step)
            assert (201, "Step registered") == (answer.status, answer.json.get("message")), answer.body

    def forget_steps(self) -> None:
        """Empties the catalog, so that steps of two tests never meet in one plan."""
        for step in self.get("/engine/step").json["steps"]:
            assert 200 == request(f"{self.base_url}/engine/step/{step['id']}", "DELETE").status

    def start(self, flow_id: str, goals: Sequence[str], init: Mapping[str, Any] | None = None) -> str:
        """The id of a flow that was started; each initial value is a single one."""
        return self.start_with(flow_id, goals, {name: [value] for name, value in (init or {}).items()})

    def start_with(self, flow_id: str, goals: Sequence[str], init: Mapping[str, Sequence[Any]], **more: Any) -> str:
        """The id of a flow that was started; initial values are lists of candidates, `more` is more of the body."""
        answer = self.post("/engine/flow", {"id": flow_id, "goals": list(goals), "init": init} | more)
        assert 201 == answer.status, answer.body
        started: str = answer.json["flow_id"]
        return started

    def run(self, flow_id: str, goals: Sequence[str], init: Mapping[str, Any] | None = None) -> Any:
        """The flow as it is served at its end, whose log is in order and amounts to it."""
        return self.checked_end(self.start(flow_id, goals, init))

    def checked_end(self, flow_id: str) -> Any:
        """The same of a flow that was started before."""
        state, events = self.await_end(flow_id), self.events(flow_id)
        assert [] == faults_of_log(events)
        assert fold(events) == state
        return state

    def state(self, flow_id: str) -> Any:
        """The flow as it is served."""
        answer = self.get(f"/engine/flow/{flow_id}")
        assert 200 == answer.status, answer.body
        return answer.json

    def events(self, flow_id: str) -> list[Any]:
        """The flow's log as it is served."""
        answer = self.get(f"/engine/flow/{flow_id}/events")
        assert 200 == answer.status, answer.body
        events: list[Any] = answer.json["events"]
        return events

    def types(self, flow_id: str) -> list[str]:
        """The types of the flow's events, in order."""
        return [event["type"] for event in self.events(flow_id)]

    def of_type(self, flow_id: str, event_type: str) -> list[Any]:
        """The flow's events of one type."""
        return [event for event in self.events(flow_id) if event["type"] == event_type]

    def await_event(self, flow_id: str, event_type: str) -> Any:
        """The first event of this type, once there is one."""
        return eventually(f"{event_type} of {flow_id}", lambda: self.of_type(flow_id, event_type))[0]

    def await_end(self, flow_id: str, patience_seconds: float = PATIENCE_SECONDS) -> Any:
        """The flow as it is served once it was deactivated."""

        def ended() -> Any:
            return self.get(f"/engine/flow/{flow_id}/status").json.get("status") in TERMINAL

        eventually(f"the end of {flow_id}", ended, patience_seconds)
        return self.state(flow_id)
