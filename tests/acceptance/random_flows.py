# SPDX-License-Identifier: Apache-2.0
"""Flows drawn at random: a small catalog each, services that answer, refuse, stall or call back twice, initial values.

A number makes one flow, always the same. Steps of a flow take low names and give higher ones, so that a catalog has no
rings. Called by the test of random flows.
"""

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.acceptance.client import Client
from tests.acceptance.services import Call, Endpoint, Reply, StepServices
from tests.acceptance.steps import Body, asynchronous, lua, retries, script, sync

NAMES: Final = 7
VALUES: Final = ("yes", "no", None, ["yes", "no", "yes"])
COLLECTS: Final = ("first", "first", "last", "some", "all", "none")
PREDICATES: Final = ("return true", "return false", "error('unsure')")
MATCH: Final = "return value == 'yes'"
REFUSAL: Final = Reply(status=422, body={"title": "refused", "status": 422})
BUSY: Final = Reply(status=503)
WEBHOOK_DELAY_SECONDS: Final = 0.03
STARTS: Final = NAMES + 1
"""A start that is refused for want of a value is repeated with it, at most so often."""


@dataclass(frozen=True, kw_only=True)
class RandomFlow:
    """A flow and what it needs."""

    flow_id: str
    steps: tuple[Body, ...]
    goals: tuple[str, ...]
    init: dict[str, list[Any]]


class Drawer:
    """Draws one flow, and programs its endpoints."""

    def __init__(self, seed: int, services: StepServices) -> None:
        self._random = Random(seed)
        self._services = services
        self._name = f"r{seed}"

    def flow(self) -> RandomFlow:
        """The flow of this drawer's number."""
        steps = tuple(self._step(number) for number in range(self._random.randint(1, 6)))
        goals = tuple(self._random.sample([step["id"] for step in steps], self._random.randint(1, min(2, len(steps)))))
        names = self._random.sample(range(NAMES), self._random.randint(0, 3))
        init = {self._attribute(n): [self._value() for _ in range(self._random.randint(0, 2))] for n in names}
        return RandomFlow(flow_id=self._name, steps=steps, goals=goals, init=init)

    # ---- steps ----

    def _step(self, number: int) -> Body:
        step_id, limit = f"{self._name}-s{number}", self._random.randint(0, NAMES)
        takes = self._random.sample(range(limit), min(limit, self._random.randint(0, 3)))
        gives = self._random.sample(range(limit, NAMES), min(NAMES - limit, self._random.randint(0, 2)))
        outputs = [self._attribute(n) for n in gives]
        specs = {self._attribute(n): self._input() for n in takes} | {name: {"role": "output"} for name in outputs}
        more: Body = {"work_config": retries(2, 20) | {"parallelism": self._random.randint(1, 3)}}
        if self._random.random() < 0.3:
            more["predicate"] = lua(self._random.choice(PREDICATES))
        return self._random.choice((self._sync, self._sync, self._async, self._script))(step_id, outputs, specs, more)

    def _input(self) -> Body:
        role = self._random.choice(("required", "required", "optional"))
        config: Body = {"collect": self._random.choice(COLLECTS)}
        if role == "required" and self._random.random() < 0.3:
            config["match"] = lua(MATCH)
        if role == "optional":
            config |= self._random.choice(({}, {"default": '"yes"'}))
            config |= self._random.choice(({}, {"deadline": self._random.choice((1, 60, 2_000))}))
        if config["collect"] != "none" and self._random.random() < 0.3:
            config["for_each"] = True
        return {"role": role, role: config}

    def _sync(self, step_id: str, outputs: list[str], specs: Body, more: Body) -> Body:
        endpoint = self._endpoint(step_id)
        good = Reply(body=self._outputs(outputs))
        course = self._random.choice(((good,), (good,), (BUSY, good), (BUSY,), (REFUSAL,), (good, REFUSAL, BUSY, good)))
        endpoint.answers(*course)
        if self._random.random() < 0.4:
            undo = self._endpoint(step_id + "-undo").answers(
                *self._random.choice(((Reply(),), (BUSY, Reply()), (BUSY,)))
            )
            step = sync(step_id, endpoint.url, specs, **more)
            return step | {"http": step["http"] | {"compensate": undo.url}}
        return sync(step_id, endpoint.url, specs, **more)

    def _async(self, step_id: str, outputs: list[str], specs: Body, more: Body) -> Body:
        endpoint, values = self._endpoint(step_id), self._outputs(outputs)
        is_refused, is_early, times = (
            self._random.random() < 0.2,
            self._random.random() < 0.3,
            self._random.randint(1, 3),
        )

        def rule(call: Call) -> Reply:
            post = REFUSAL.body if is_refused else values
            if is_early:
                return Reply(before=lambda call: _call_back(call, post, is_refused, times))
            timer = threading.Timer(WEBHOOK_DELAY_SECONDS, _call_back, (call, post, is_refused, times))
            timer.daemon = True
            timer.start()
            return Reply()

        endpoint.decides(rule)
        return asynchronous(step_id, endpoint.url, specs, **more)

    def _script(self, step_id: str, outputs: list[str], specs: Body, more: Body) -> Body:
        members = ", ".join(f"{name} = {json.dumps(self._random.choice(('yes', 'no')))}" for name in outputs)
        text = "error('broken')" if self._random.random() < 0.15 else f"return {{{members}}}"
        return script(step_id, text, specs, **more)

    # ---- parts ----

    def _attribute(self, number: int) -> str:
        return f"{self._name}_v{number}"

    def _endpoint(self, step_id: str) -> Endpoint:
        return self._services[step_id]

    def _outputs(self, names: list[str]) -> Body:
        """Values of most of the outputs; a step may keep some to itself."""
        return {name: self._value() for name in names if self._random.random() < 0.8}

    def _value(self) -> Any:
        return self._random.choice(VALUES)


def _call_back(call: Call, body: Any, is_refusal: bool, times: int) -> None:
    """Post an outcome, several times over."""
    content_type = "application/problem+json" if is_refusal else "application/json"
    for _ in range(times):
        wanted = urllib.request.Request(call.webhook_url, json.dumps(body).encode(), {"Content-Type": content_type})
        with urllib.request.urlopen(wanted, timeout=30) as received:
            assert received.status == 200


def start(client: Client, flow: RandomFlow) -> bool:
    """Whether the flow was started, with whatever initial values it asks for; not if one of them blocks a goal."""
    client.register(*flow.steps)
    init = dict(flow.init)
    for _ in range(STARTS):
        answer = client.post("/engine/flow", {"id": flow.flow_id, "goals": list(flow.goals), "init": init})
        if answer.status == 201:
            return True
        assert answer.status == 400, answer.body
        error = answer.json["error"]
        if not error.startswith("required inputs not provided: ["):
            assert "block" in error, error
            return False
        init |= {name: ["yes"] for name in error.partition("[")[2].rstrip("]").split()}
    raise AssertionError(f"{flow.flow_id} asks for more and more")
