# SPDX-License-Identifier: Apache-2.0
"""The WebSocket of a whole Argyll: events of every process reach every subscriber, once, in order, whatever fails."""

import asyncio
import json
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.acceptance.client import Client, eventually
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, retries, script, sync

LAST = "flow_deactivated"
MANY = 1_000
MAX_IDLE_KB = 50
OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": None, "proxy": None}
CHAIN = [
    script("first", "return {one = 1}", attributes(gives=["one"])),
    script("second", "return {two = one + 1}", attributes(["one"], ["two"])),
    script("third", "return {three = two + 1}", attributes(["two"], ["three"])),
]


@contextmanager
def socket_of(client: Client) -> Iterator[ClientConnection]:
    """A client of the WebSocket."""
    with connect(address_of(client), close_timeout=1, **OPTIONS) as sock:
        yield sock


def address_of(client: Client) -> str:
    """Where the WebSocket is."""
    return client.base_url.replace("http", "ws", 1) + "/engine/ws"


def subscription(flow_id: str, with_state: bool = True) -> str:
    """A message that asks for one flow."""
    fields = {"sub_id": "s", "aggregate_ids": [["flow", flow_id]], "include_state": with_state}
    return json.dumps({"type": "subscribe", "data": fields})


def subscribe(sock: ClientConnection, flow_id: str) -> list[Any]:
    """The items of a subscription to one flow."""
    sock.send(subscription(flow_id))
    items: list[Any] = receive(sock)["items"]
    return items


def receive(sock: ClientConnection) -> Any:
    """The next message."""
    return json.loads(sock.recv(timeout=45))


def until_the_end(sock: ClientConnection) -> list[Any]:
    """All events up to the last of a flow."""
    frames = [receive(sock)]
    while frames[-1]["type"] != LAST:
        frames.append(receive(sock))
    return frames


def told(frames: list[Any]) -> list[tuple[int, str, Any]]:
    """What frames or events say, without their envelopes."""
    return [(frame["sequence"], frame["type"], frame["data"]) for frame in frames]


def test_x34_a_subscriber_sees_the_whole_log(client: Client) -> None:
    """What the API and the workers record, in order, with the data of the log."""
    client.register(*CHAIN)
    with socket_of(client) as sock:
        assert [] == subscribe(sock, "seen")
        client.start("seen", ["third"])
        frames = until_the_end(sock)
    assert told(client.events("seen")) == told(frames)


def test_subscribers_that_come_while_a_flow_runs(client: Client) -> None:
    """Each goes on exactly where its state ends."""
    client.register(*CHAIN)
    begun: list[tuple[ClientConnection, int]] = []
    with socket_of(client) as one, socket_of(client) as two, socket_of(client) as three:
        client.start("midway", ["third"])
        for sock in (one, two, three):
            (item,) = subscribe(sock, "midway")
            begun.append((sock, item["sequence"]))
        client.await_end("midway")
        log = told(client.events("midway"))
        for sock, first in begun:
            assert log[first:] == (told(until_the_end(sock)) if first < len(log) else [])


def test_an_outage_of_redis_costs_no_event(stack: Stack, services: StepServices) -> None:
    """The subscription goes on by itself, without a gap and without a repeat."""
    client, gate = stack.client, services.gate()
    endpoint = services["held"].answers(Reply(body={"answer": 1}, gate=gate))
    client.register(sync("held", endpoint.url, attributes(gives=["answer"]), work_config=retries(5, 50)))
    with socket_of(client) as sock:
        subscribe(sock, "cut-off")
        client.start("cut-off", ["held"])
        eventually("the call", lambda: endpoint.calls)
        stack.kill_redis()
        gate.set()
        stack.start_redis()
        frames = until_the_end(sock)
    assert told(client.events("cut-off")) == told(frames)


def test_a_killed_api_is_no_loss(stack: Stack) -> None:
    """Its sockets break; clients come back, subscribe again and see the rest."""
    client = stack.client
    client.register(*CHAIN)
    with socket_of(client) as sock:
        subscribe(sock, "handed-on")
        client.start("handed-on", ["third"])
        stack.api.kill()
        with pytest.raises(ConnectionClosed) as closed:
            until_the_end(sock)
            sock.recv(timeout=45)
    assert closed.value.rcvd is None
    stack.mend()
    with socket_of(client) as sock:
        (item,) = subscribe(sock, "handed-on")
        rest = [] if item["data"]["deactivated_at"][0] != "0" else until_the_end(sock)
    assert told(client.events("handed-on"))[item["sequence"] :] == told(rest)


@pytest.mark.slow
def test_a_thousand_subscribers(stack: Stack) -> None:
    """Idle ones cost no thread and little memory; each then sees all events of its own flow."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    try:
        asyncio.run(_watch_many(stack))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


async def _watch_many(stack: Stack) -> None:
    client = stack.client
    client.register(CHAIN[0])
    flow_ids = [f"many-{number}" for number in range(MANY)]
    socks = [await connect_async(address_of(client), **OPTIONS)]
    try:
        await _begin(socks[0], flow_ids[0])  # whatever the first subscriber brings to life is not the price of one
        before_kb, before_threads = _weight(stack)
        for flow_id in flow_ids[1:]:
            socks.append(await connect_async(address_of(client), **OPTIONS))
            await _begin(socks[-1], flow_id)
        after_kb, after_threads = _weight(stack)
        assert (after_kb - before_kb) / MANY < MAX_IDLE_KB
        # The few threads that load states start one by one; more sockets bring no more of them.
        assert after_threads - before_threads < 8
        with ThreadPoolExecutor(4) as pool:
            starts = asyncio.get_running_loop()
            await asyncio.gather(*(starts.run_in_executor(pool, client.start, f, ["first"]) for f in flow_ids))
        logs = await asyncio.gather(*map(_sequences, socks))
        assert [list(range(len(log))) for log in logs] == logs
    finally:
        await asyncio.gather(*(sock.close() for sock in socks))


async def _begin(sock: Any, flow_id: str) -> None:
    await sock.send(subscription(flow_id))
    assert [] == json.loads(await sock.recv())["items"]


async def _sequences(sock: Any) -> list[int]:
    found, kind = [], ""
    while kind != LAST:
        frame = json.loads(await asyncio.wait_for(sock.recv(), 90))
        kind = frame["type"]
        found.append(frame["sequence"])
    return found


def _weight(stack: Stack) -> tuple[int, int]:
    """Resident memory of the API in kB, and its threads."""
    lines = Path(f"/proc/{stack.api.pid}/status").read_text("ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmRSS"].split()[0]), int(fields["Threads"])
