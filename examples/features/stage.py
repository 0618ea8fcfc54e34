# SPDX-License-Identifier: Apache-2.0
"""What every example has around it: a step service, a client of the engine, and lines about what happened.

The engine is the one at `ARGYLL_ENGINE_URL`, or the one that `make up` starts. Each run registers its steps anew and
gives its flows new ids. Called by the examples.
"""

import inspect
import json
import logging
import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from argyll_api.client import Client, Step

HOST: Final = "127.0.0.1"
ENGINE_URL: Final = "http://localhost:8080"
PATIENCE_SECONDS: Final = 60.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """A handler does not do what it was asked for."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler may know of a call beyond its arguments; see the step interface for all of it."""

    receipt_token: str
    webhook_url: str


class Stage:
    """An engine, a step service, and the terminal."""

    def __init__(self, client: Client, app: Flask, url: str) -> None:
        self._client, self._app, self._url = client, app, url

    # ---- before ----

    def serve(self, handler: Callable[..., Json]) -> str:
        """The address of an endpoint that answers with what the handler makes of the arguments (and of the call)."""

        def view() -> Response | tuple[Response, int, dict[str, str]]:
            arguments = request.get_json()
            headers = request.headers
            call = Call(
                receipt_token=headers.get("Argyll-Receipt-Token", ""), webhook_url=headers.get("Argyll-Webhook-URL", "")
            )
            wants_call = len(inspect.signature(handler).parameters) > 1
            try:
                return jsonify(handler(arguments, call) if wants_call else handler(arguments))
            except Refusal as refusal:
                problem = jsonify(status=refusal.status, detail=refusal.reason)
                return problem, refusal.status, {"Content-Type": "application/problem+json"}

        path = f"/{handler.__name__}"
        self._app.add_url_rule(path, path, view, methods=["POST"])
        return self._url + path

    def register(self, *steps: Json) -> None:
        """Registers the steps, or puts them in the place of those of an earlier run."""
        for step in steps:
            self._client.steps.put(Step.from_json(step))

    # ---- the flow ----

    def run(self, goal: str, **init: Any) -> str:
        """The id of a flow that was started and has ended, compensation included."""
        flow_id = f"{goal}-{secrets.token_hex(4)}"
        self._client.flows.start(flow_id, [goal], init)
        for _ in self._client.flows.follow(flow_id, timeout_seconds=PATIENCE_SECONDS):
            pass
        return flow_id

    def child_of(self, flow_id: str, step_id: str) -> str:
        """The id of the flow that a flow step has started."""
        (token,) = self._client.flows.get(flow_id).executions[step_id].work_items
        return f"{flow_id}:{step_id}:{token}"

    # ---- what is shown ----

    def say(self, line: str) -> None:
        """Prints a line."""
        click.echo(line)

    def show_status(self, flow_id: str) -> None:
        """How the flow ended."""
        flow = self._client.flows.get(flow_id)
        self.say(f"the flow {flow.status}" + (f": {flow.error}" if flow.error else ""))

    def show_values(self, flow_id: str, *names: str) -> None:
        """The values of these attributes."""
        attributes = self._client.flows.get(flow_id).attributes
        for name in names:
            self.say(f"{name} = {' then '.join(json.dumps(value.value) for value in attributes.get(name, ()))}")

    def show_steps(self, flow_id: str, *step_ids: str) -> None:
        """How these steps ended."""
        executions = self._client.flows.get(flow_id).executions
        for step_id in step_ids:
            execution = executions[step_id]
            self.say(f"{step_id}: {execution.status}" + (f", {execution.error}" if execution.error else ""))

    def show_counts(self, flow_id: str, *event_types: str) -> None:
        """How often these events were recorded."""
        found = Counter(event.type for event in self._client.flows.events(flow_id))
        self.say(", ".join(f"{event_type}: {found[event_type]}" for event_type in event_types))

    def show_order(self, flow_id: str, *event_types: str) -> None:
        """In which order these events were recorded."""
        events = [event for event in self._client.flows.events(flow_id) if event.type in event_types]
        self.say(" → ".join(" ".join(filter(None, (event.type, event.step_id))) for event in events))


def perform(play: Callable[[Stage], None]) -> None:
    """Runs an example against the engine, with a step service of its own on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Flask("steps")
    server = make_server(HOST, 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Client(os.environ.get("ARGYLL_ENGINE_URL", ENGINE_URL)) as client:
            play(Stage(client, app, f"http://{HOST}:{server.port}"))
    finally:
        server.shutdown()
