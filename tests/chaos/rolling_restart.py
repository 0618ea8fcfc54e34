# SPDX-License-Identifier: Apache-2.0
"""A drill: two APIs and four workers are restarted one after the other while clients start flows and wait for them.

`python -m tests.chaos.rolling_restart` runs it by hand and prints what it found. Nothing stands before the APIs: a
client asks the other one when one does not answer. Everything runs with the defaults, so that what a restart leaves
undone shows as a wait: recovery would do it only after longer than a message may wait.
"""

import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any, TypeVar

import click

from argyll_api.client import Client, ClientError, Flow, Retries, Start, UnavailableError
from argyll_api.client.webhooks import WorkAddress
from argyll_engine.diagnostics_wiring import build_vitals
from tests.acceptance.client import eventually, fresh_id, request
from tests.acceptance.folding import faults_of_log
from tests.acceptance.part import Part, free_port
from tests.acceptance.services import Call, Reply, StepServices, running
from tests.acceptance.stack import Stack
from tests.acceptance.steps import asynchronous, attributes, script, sync
from tests.chaos.restart_findings import Findings, claims_of

T = TypeVar("T")

DEFAULTS = {"WORKER_LEASE": "15s", "RECOVERY_GRACE": "15s", "RECOVERY_INTERVAL": "10s"}
"""The stack of the acceptance tests recovers faster than that."""
LONGEST_WAIT_SECONDS = 5.0
"""How long a message may wait for a worker."""
STOP_SECONDS = 30.0
"""How long a process may take to end; its supervisor kills what takes longer than 10 s."""
READY_SECONDS = 120.0
FLOW_SECONDS = 120.0
BETWEEN = 20
"""Flows that end after a restart and before the next one."""
CALL_SECONDS = 0.2
SLOW_SECONDS = 2.0
"""Of a call that is still running when its worker has to end."""
SCRIPTS_AT_ONCE, CALLS_AT_ONCE = 60, 20
"""Flows that are started together right before a process has to end, so that it has messages in hand."""
SAMPLE_SECONDS = 0.25
GOAL, QUICK, SLOW = "finish", "begin", "slow"


class Either:
    """A client of several engines: who gets no answer from one asks the next, as often as `Client` asks one again."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._clients = [Client(url, retries=Retries(count=0)) for url in urls]
        self._retries, self._turns = Retries(), itertools.count()
        self.requests = self.second_tries = 0

    def __call__(self, ask: Callable[[Client], T]) -> T:
        """What one of them answers. Raises ClientError."""
        self.requests += 1
        turn, tries = next(self._turns), 0
        while True:
            try:
                return ask(self._clients[(turn + tries) % len(self._clients)])
            except UnavailableError:
                tries += 1
                self.second_tries += 1
                if tries > self._retries.count:
                    raise
                time.sleep(self._retries.pause_seconds(tries))

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()


# ---- the load ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Service:
    """What the steps call: one answers at once, the other one by webhook."""

    engine: Either
    webhooks: ThreadPoolExecutor
    findings: Findings

    def answer(self, call: Call) -> Reply:
        """The answer itself."""
        time.sleep(CALL_SECONDS)
        return Reply(body={"called": call.arguments["begun"] + 1})

    def answer_slowly(self, call: Call) -> Reply:
        """The same after a while."""
        time.sleep(SLOW_SECONDS)
        return Reply(body={"slowed": call.arguments["seed"]})

    def accept(self, call: Call) -> Reply:
        """Nothing yet."""
        time.sleep(CALL_SECONDS)
        self.webhooks.submit(self._report, call)
        return Reply()

    def _report(self, call: Call) -> None:
        address, outputs = WorkAddress.of_url(call.webhook_url), {"heard": call.arguments["called"] + 1}
        try:
            self.engine(lambda client: client.webhooks.complete(address, outputs))
        except ClientError as exc:
            self.findings.faults.append(f"webhook of {address.flow_id}: {type(exc).__name__}: {exc}")


def register_steps(engine: Either, services: StepServices, service: Service) -> None:
    """A script, a call, a call that is answered by a webhook, a script: one after the other; and a slow call."""
    services["call"].decides(service.answer)
    services["later"].decides(service.accept)
    services[SLOW].decides(service.answer_slowly)
    for step in (
        script(QUICK, "return {begun = seed}", attributes(["seed"], ["begun"])),
        sync("call", services["call"].url, attributes(["begun"], ["called"])),
        asynchronous("later", services["later"].url, attributes(["called"], ["heard"])),
        sync(SLOW, services[SLOW].url, attributes(["seed"], ["slowed"])),
        script(GOAL, "return {result = heard * 10}", attributes(["heard"], ["result"])),
    ):
        engine(partial(_put, step))


def _put(step: Mapping[str, Any], client: Client) -> None:
    client.steps.put(step)


@dataclass(kw_only=True)
class Load:
    """Clients that start a flow, wait for its end and start the next, until they are told to stop."""

    engine: Either
    findings: Findings
    stopping: Flag = field(default_factory=Flag)

    def run(self, number: int) -> None:
        """One client."""
        while not self.stopping.is_set():
            flow_id = fresh_id("rolling")
            try:
                self._run_flow(flow_id, number)
            except (ClientError, AssertionError) as exc:
                self.findings.faults.append(f"{flow_id}: {type(exc).__name__}: {exc}")

    def _run_flow(self, flow_id: str, seed: int) -> None:
        """Half of the clients wait within the request that starts the flow, the others at a WebSocket."""
        if seed % 2:
            flow = self.engine(lambda client: client.flows.run(flow_id, [GOAL], {"seed": seed}, timeout_seconds=60))
        else:
            self.engine(lambda client: client.flows.start(flow_id, [GOAL], {"seed": seed}))
            flow = self.engine(partial(_end, flow_id))
        assert (flow.status, flow.value("result")) == ("completed", (seed + 2) * 10), f"{flow.status}: {flow.error}"
        self._note(flow_id)

    def start_many(self) -> list[str]:
        """The flows that were started together, more than the workers have done in a moment."""
        goals = [QUICK] * SCRIPTS_AT_ONCE + [SLOW] * CALLS_AT_ONCE
        starts = [Start(flow_id=fresh_id("many"), goals=[goal], init={"seed": 1}) for goal in goals]
        results = self.engine(lambda client: list(client.flows.start_many(starts)))
        self.findings.faults += [f"{result.flow_id}: {result.error}" for result in results if not result.is_started]
        return [start.flow_id for start in starts]

    def await_many(self, flow_ids: Iterable[str]) -> None:
        """Wait until they have completed."""
        for flow_id in flow_ids:
            status = self.engine(partial(_end, flow_id)).status
            if status != "completed":
                self.findings.faults.append(f"{flow_id}: it is {status}")
            self._note(flow_id)

    def _note(self, flow_id: str) -> None:
        """What the log of a flow tells that has ended well."""
        events = self.engine(lambda client: client.flows.events(flow_id))
        faults = faults_of_log([event.answer for event in events])
        self.findings.note_end(claims_of(events), [f"{flow_id}: {fault}" for fault in faults])


def _end(flow_id: str, client: Client) -> Flow:
    return client.flows.wait(flow_id, FLOW_SECONDS)


def watch_queues(stack: Stack, findings: Findings, stopping: Flag) -> None:
    """Note the age of the oldest message of each queue until the end."""
    vitals = build_vitals(stack.config)
    while not stopping.wait(SAMPLE_SECONDS):
        for queue in vitals.read().queues:
            findings.queue_seconds[queue.name] = max(findings.queue_seconds[queue.name], queue.oldest_seconds)


# ---- the restarts ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Member:
    """A process that is restarted, and the address that says 200 when it may be relied on."""

    name: str
    part: Part
    probe: str

    def restart(self, begin: Callable[[str], None]) -> str:
        """What it took, in words: SIGTERM, its end, a new one, until that is ready. `begin` is told of each part."""
        begun = time.monotonic()
        begin(f"{self.name} ended")
        self._end()
        ended = time.monotonic()
        begin(f"{self.name} started")
        self.part.start()
        self.await_ready()
        return f"{self.name}: ended after {ended - begun:.1f} s, ready {time.monotonic() - ended:.1f} s later"

    def await_ready(self) -> None:
        """Wait until it may be relied on."""
        eventually(f"readiness of {self.name}", self._is_ready, READY_SECONDS)

    def _end(self) -> None:
        self.part.terminate()
        eventually(f"the end of {self.name}", lambda: not self.part.is_running, STOP_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return request(self.probe).status == 200
        except OSError:
            return False


def members_of(stack: Stack) -> list[Member]:
    """Two APIs and four workers, none of them started; the stack stops the workers and its own API at its end."""
    second = free_port()
    apis = {stack.config.api_port: stack.api, second: _changed(stack.api, (), API_PORT=second)}
    members = [
        Member(name=f"api on {port}", part=part, probe=f"http://127.0.0.1:{port}/readyz") for port, part in apis.items()
    ]
    kinds, stack.workers = stack.workers, {}
    for kind, letter in itertools.product(kinds, "ab"):
        port, name = free_port(), f"{kind} worker {letter}"
        part = _changed(kinds[kind], ("--node", f"drill-{letter}"), WORKER_METRICS_PORT=port)
        stack.workers[name] = part
        members.append(Member(name=name, part=part, probe=f"http://127.0.0.1:{port}/livez"))
    return members


def _changed(part: Part, words: tuple[str, ...], **variables: int) -> Part:
    changed = part.twin()
    changed.argv += words
    changed.environment |= {name: str(value) for name, value in variables.items()}
    return changed


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[Stack, list[Member]]]:
    """All processes, ready."""
    stack = Stack(folder, None, **DEFAULTS)
    members = members_of(stack)
    try:
        stack.redis.start()
        for part in (*(member.part for member in members), stack.beat):
            part.start()
        for member in members:
            member.await_ready()
        yield stack, members
    finally:
        for member in members:
            member.part.stop()
        stack.stop()


def drill(folder: Path, clients: int, rounds: int = 1) -> Findings:
    """What was seen while each process was restarted so many times under the load of so many clients."""
    findings = Findings()
    with cluster(folder) as (stack, members), running() as services, ThreadPoolExecutor(clients) as webhooks:
        engine = Either(member.probe.removesuffix("/readyz") for member in members if member.name.startswith("api"))
        register_steps(engine, services, Service(engine=engine, webhooks=webhooks, findings=findings))
        load = Load(engine=engine, findings=findings)
        threads = [Thread(target=load.run, args=(number,)) for number in range(clients)]
        threads.append(Thread(target=watch_queues, args=(stack, findings, load.stopping)))
        for thread in threads:
            thread.start()
        try:
            for member in members * rounds:
                findings.begin("all of them ran")
                await_flows(findings)
                many = load.start_many()
                findings.restarts.append(member.restart(findings.begin))
                load.await_many(many)
            findings.begin("all of them ran")
            await_flows(findings)
        finally:
            load.stopping.set()
            for thread in threads:
                thread.join()
            engine.close()
        calls = Counter([*services["call"].tokens, *services["later"].tokens, *services[SLOW].tokens])
        findings.repeated_calls = calls.total() - len(calls)
        findings.requests, findings.second_tries = engine.requests, engine.second_tries
    return findings


def await_flows(findings: Findings) -> None:
    """Wait until some more flows have completed, or something is wrong."""
    goal = findings.completed + BETWEEN
    eventually(f"{BETWEEN} more flows", lambda: findings.completed >= goal or findings.faults, READY_SECONDS)


@click.command()
@click.option("--clients", type=click.IntRange(1), default=8, show_default=True, help="Clients that start flows.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True, help="Restarts of each process.")
def main(clients: int, rounds: int) -> None:
    """Restart two APIs and four workers under load, and say what clients and messages felt of it."""
    with tempfile.TemporaryDirectory() as folder:
        findings = drill(Path(folder), clients, rounds)
    for line in findings.lines():
        click.echo(line)
    sys.exit(bool(findings.faults) or findings.longest_wait_seconds > LONGEST_WAIT_SECONDS)


if __name__ == "__main__":
    main()
