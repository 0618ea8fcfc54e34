# SPDX-License-Identifier: Apache-2.0
"""Redis goes away and comes back: what clients are told meanwhile, and that everything goes on by itself."""

import threading

from argyll_engine.config import RedisConfig
from argyll_engine.store.connect import connect
from argyll_engine.store.keys import Keys
from tests.acceptance.client import eventually, request
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, retries, script, sync

START = {"id": "in-the-dark", "goals": ["quick"], "init": {}}
STEP = script("quick", "return {done = true}", attributes(gives=["done"]))
REQUESTS = [
    ("GET", "/engine", None),
    ("GET", "/engine/step", None),
    ("POST", "/engine/step", STEP | {"id": "other"}),
    ("POST", "/engine/plan", {"goals": ["quick"]}),
    ("GET", "/engine/flow", None),
    ("POST", "/engine/flow", START),
    ("POST", "/engine/flow/query", {}),
    ("GET", "/engine/flow/known", None),
    ("GET", "/engine/flow/known/status", None),
    ("GET", "/engine/flow/known/events", None),
    ("GET", "/engine/catalog", None),
    ("POST", "/webhook/known/quick/token", {}),
]


def is_back(stack: Stack) -> bool:
    """Whether the API reads from every Redis again."""
    answers = stack.client.get("/engine/step"), stack.client.get("/engine/flow")
    return all(answer.status == 200 for answer in answers)


def test_api_says_that_it_is_away_and_recovers(stack: Stack) -> None:
    """Without Redis every request is answered 503, with Retry-After and a short JSON error; then all is as before."""
    client = stack.client
    client.register(STEP)
    client.await_end(client.start("known", ["quick"]))
    before = client.state("known")
    stack.kill_redis()
    answers = {f"{method} {path}": request(client.base_url + path, method, body) for method, path, body in REQUESTS}
    alive = client.get("/health").status
    stack.start_redis()
    assert dict.fromkeys(answers, 503) == {asked: answer.status for asked, answer in answers.items()}
    for answer in answers.values():
        assert ({"error", "status"}, 503) == (set(answer.json), answer.json["status"])
        assert (True, True) == (int(answer.headers["retry-after"]) > 0, "Traceback" not in answer.json["error"])
    eventually("the return of the API", lambda: is_back(stack))
    assert (200, before) == (alive, client.state("known"))


def test_flow_that_runs_during_an_outage_completes(stack: Stack, services: StepServices) -> None:
    """An answer that a step gives while Redis is away is recorded when it is back, without another call."""
    client, gate = stack.client, services.gate()
    endpoint = services["held"].answers(Reply(body={"answer": 1}, gate=gate))
    client.register(
        sync("held", endpoint.url, attributes(gives=["answer"]), work_config=retries(5, 50)),
        script("after", "return {last = answer + 1}", attributes(["answer"], ["last"])),
    )
    flow_id = client.start("through-outage", ["after"])
    eventually("the call", lambda: endpoint.calls)
    stack.kill_redis()
    printed = stack.log.stat().st_size
    gate.set()
    eventually("a worker that misses Redis", lambda: b"redis connection lost" in stack.log.read_bytes()[printed:])
    stack.start_redis()
    state, events = client.await_end(flow_id), client.events(flow_id)
    assert ("completed", 1, 2) == (state["status"], len(endpoint.calls), state["attributes"]["last"][0]["value"])
    assert ([], state) == (faults_of_log(events), fold(events))


def test_workers_consume_again_after_each_outage(stack: Stack) -> None:
    """After three outages in a row workers carry new flows to their ends, and nobody had to start anything."""
    client = stack.client
    client.register(STEP)
    for number in range(3):
        stack.kill_redis()
        stack.start_redis()
        eventually("the return of the API", lambda: is_back(stack))
        assert "completed" == client.await_end(client.start(f"after-outage-{number}", ["quick"]))["status"]
    assert all(part.is_running for part in (stack.api, stack.beat, *stack.workers.values()))


def test_starts_that_were_refused_can_be_sent_again(stack: Stack) -> None:
    """Clients that repeat what was answered 503 get each flow started exactly once, and completed."""
    client = stack.client
    client.register(STEP)
    started: list[str] = []

    def insist(flow_id: str) -> None:
        body = START | {"id": flow_id}
        eventually(f"the start of {flow_id}", lambda: client.post("/engine/flow", body).status == 201)
        started.append(flow_id)

    names = [f"insisting-{number}" for number in range(20)]
    threads = [threading.Thread(target=insist, args=(name,)) for name in names]
    for thread in threads[:10]:
        thread.start()
    stack.kill_redis()
    for thread in threads[10:]:
        thread.start()
    stack.start_redis()
    for thread in threads:
        thread.join()
    assert sorted(names) == sorted(started)
    for name in names:
        state, events = client.await_end(name), client.events(name)
        assert ("completed", [], state) == (state["status"], faults_of_log(events), fold(events))


def test_redis_that_comes_back_empty_is_believed(stack: Stack) -> None:
    """What it no longer has is gone for every process, and whoever starts later finds a store like any other."""
    client = stack.client
    client.register(STEP)
    client.await_end(client.start("forgotten", ["quick"]))
    stack.kill_redis()
    stack.lose_everything()
    stack.start_redis()
    eventually("the return of the API", lambda: is_back(stack))
    assert (404, []) == (client.get("/engine/flow/forgotten").status, client.get("/engine/step").json["steps"])
    client.register(STEP)
    state = client.await_end(client.start("forgotten", ["quick"]))
    assert ("completed", fold(client.events("forgotten"))) == (state["status"], state)
    eventually("numbered stores", lambda: is_numbered(stack))
    with stack.second_api() as later:
        assert 200 == later.get("/engine/flow/forgotten").status


def is_numbered(stack: Stack) -> bool:
    """Whether all stores say which form their keys have."""
    stores = (stack.config.engine_redis, *stack.config.shards)
    return all(_has_number(store) for store in stores)


def _has_number(store: RedisConfig) -> bool:
    with connect(store) as redis:
        return bool(redis.exists(Keys(store.prefix).schema()))
