# SPDX-License-Identifier: Apache-2.0
"""A store whose memory is nearly used up: new flows are refused, and those that run go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from tests.acceptance.client import Client, eventually, fresh_id, request
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import asynchronous, attributes, script

FILLER = "filler"
FILLER_BYTES = 100 * 1_048_576
"""So much that the few percent that are left have room for what a test does."""


@contextmanager
def nearly_full(redis: Redis) -> Iterator[Callable[[], None]]:
    """A Redis of whose memory 96 percent is used, and what makes it so again: it may free some by itself.

    The filler is made of zeroes by Redis itself, as no more than a line of its append-only file. Written out, it would
    have Redis 6.2 rewrite that file, for which it takes and frees ten megabytes at a time: more than is left here.
    """

    def fill() -> None:
        info: Any = redis.info("memory")
        redis.config_set("maxmemory", int(info["used_memory"] / 0.96))

    redis.setrange(FILLER, FILLER_BYTES - 1, b"x")
    fill()
    try:
        yield fill
    finally:
        redis.config_set("maxmemory", 0)
        redis.delete(FILLER)


def test_new_flows_are_refused_and_running_ones_go_on(stack: Stack, client: Client, services: StepServices) -> None:
    """With 503 and the reason, on both routes; a webhook is taken, and what follows from it runs."""
    services["later"].answers(Reply(status=202))
    client.register(
        asynchronous("later", services["later"].url, attributes(gives=["o"])),
        script("after", "return {p = o + 1}", attributes(["o"], ["p"])),
    )
    flow_id = client.start(fresh_id("hook"), ["after"])
    eventually("the call", lambda: services["later"].calls)
    start = {"id": fresh_id("late"), "goals": ["after"]}

    def is_refused() -> bool:
        fill()
        return client.post("/engine/flow", start | {"id": fresh_id("x")}).status == 503

    with stack.flow_redis() as redis, nearly_full(redis) as fill:
        eventually("a refusal", is_refused)
        refused = [client.post("/engine/flow", start), client.post("/engine/flows", {"flows": [start]})]
        assert [(503, True)] * 2 == [(each.status, "of its memory is used" in each.json["error"]) for each in refused]
        webhook = f"{client.base_url}/webhook/{flow_id}/later/{services['later'].calls[0].token}"
        assert 200 == request(webhook, "POST", {"o": 1}).status
        assert "completed" == client.await_end(flow_id)["status"]
    eventually("a start", lambda: client.post("/engine/flow", start).status == 201)
