# SPDX-License-Identifier: Apache-2.0
"""Calls HTTP steps over kept connections: the only HTTP client. Built by `wiring.py`, once per process.

What is sent is `request.py`, what an answer means is `policy/outcome.py`; `connections.py` carries it.

One call is one attempt: nothing is sent twice here but for redirects. A kept connection that the server has closed
while it was idle is noticed before it is used, and a new one is opened. When the server closes it at the very
moment we write, nobody can tell whether the step has seen the request; that is an attempt without an answer, and the
step's own retry policy decides.
"""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from argyll_engine.invoke.address import address_of, on_the_wire
from argyll_engine.invoke.connections import Connections, LoopThread
from argyll_engine.invoke.exchange import Head, Wish
from argyll_engine.invoke.request import USER_AGENT, HttpRequest, build_compensation, build_request, redirected
from argyll_engine.model.invocation import Compensation, Failed, Invocation, NotCompleted, Outcome
from argyll_engine.model.step import Step
from argyll_engine.policy.outcome import Answer, classify, classify_compensation, not_completed, too_large

MAX_REDIRECTS: Final = 10
TOO_MANY_REDIRECTS: Final = f"stopped after {MAX_REDIRECTS} redirects"


class HttpStepClient:
    """Implements `ports.CallClient` for steps of type `sync` and `async`; may be shared by threads.

    Args:
        timeout_ms: for steps that give none.
        max_response_bytes: larger answers fail the work for good.
        protocol: `bare` or `envelope`, for steps that do not say.
        connections: idle ones that are kept per host, as many as there are calls at once.
    """

    def __init__(
        self, *, timeout_ms: int, max_response_bytes: int, protocol: str = "bare", connections: int = 32
    ) -> None:
        self._timeout_ms, self._max_response_bytes, self._protocol = timeout_ms, max_response_bytes, protocol
        self._connections = Connections(connections)
        self._thread = LoopThread("argyll-calls")

    def begin(self, invocation: Invocation, done: Callable[[Outcome | Exception], None]) -> None:
        """Call a step without waiting; `done` hears how it ended, in another thread, and must not raise.

        An exception is a fault of ours: nothing that the step or the network does is one.
        """
        self._thread.start(_told(self._invoked(invocation, time.monotonic()), done))

    def invoke(self, invocation: Invocation) -> Outcome:
        """How the call of the step ended; never raises for anything that the step or the network does.

        Source: the contract, http §3.1, §3.2 and execution §3.5, X31.
        """
        return self._thread.wait(self._invoked(invocation, time.monotonic()))

    def compensate(self, compensation: Compensation) -> Outcome:
        """How undoing ended; never raises either. Source: the contract, http §3.4."""
        request = build_compensation(compensation)
        answer = self._thread.wait(self._perform(request, compensation.step, time.monotonic()))
        return classify_compensation(answer) if isinstance(answer, Answer) else answer

    def probe(self, url: str, timeout_ms: int) -> str:
        """What is wrong with the service that answers under a URL; empty when it is well. Source: http §3.5."""
        request = HttpRequest(method="GET", url=url, headers={"Accept": "*/*", "User-Agent": USER_AGENT}, body=None)
        return self._thread.wait(self._probed(request, timeout_ms))

    def close(self) -> None:
        """Close all connections; calls that are under way end with them."""
        self._thread.stop(self._connections.close)

    # ---- in the thread of the connections ----

    async def _invoked(self, invocation: Invocation, begun_at: float) -> Outcome:
        answer = await self._perform(build_request(invocation, self._protocol), invocation.step, begun_at)
        return classify(invocation.step, answer) if isinstance(answer, Answer) else answer

    async def _perform(
        self, request: HttpRequest | Failed, step: Step, begun_at: float
    ) -> Answer | NotCompleted | Failed:
        """The answer to a request within the step's time, or what went wrong before there was one.

        Args:
            begun_at: when its time began, as `time.monotonic` has it.
        """
        if isinstance(request, Failed):
            return request
        config = step.http
        timeout_ms = config.timeout_ms if config and config.timeout_ms > 0 else self._timeout_ms
        try:
            async with asyncio.timeout_at(begun_at + timeout_ms / 1_000):  # a loop's clock is the monotonic one
                answer = await self._respond(request, self._max_response_bytes)
        except OSError as exc:
            return not_completed(_cause(exc, timeout_ms))
        if answer is None:
            return not_completed(TOO_MANY_REDIRECTS)
        if isinstance(answer, str):
            return Failed(error=f"invalid endpoint: {answer}")
        head, body = answer
        if 200 <= head.status < 300 and len(body) > self._max_response_bytes:
            return too_large(self._max_response_bytes)
        return Answer(status=head.status, content_type=head.headers.get("content-type", ""), body=body)

    async def _probed(self, request: HttpRequest, timeout_ms: int) -> str:
        try:
            async with asyncio.timeout(timeout_ms / 1_000):
                answer = await self._respond(request, None)
        except OSError as exc:
            return _cause(exc, timeout_ms)
        if answer is None:
            return TOO_MANY_REDIRECTS
        if isinstance(answer, str):
            return f"invalid URL: {answer}"
        head, _ = answer
        return f"HTTP {head.status} {_reason(head)}".rstrip() if head.status >= 400 else ""

    async def _respond(self, request: HttpRequest, max_body_bytes: int | None) -> tuple[Head, bytes] | str | None:
        """The answer at the end of all redirects; what is wrong with a URL, or None if there are too many.

        Args:
            max_body_bytes: a longer body may be cut off behind them; None if none is wanted.

        Raises:
            OSError: there was no answer.
        """
        for _ in range(MAX_REDIRECTS + 1):
            address = address_of(request.url)
            if isinstance(address, str):
                return address
            wish = Wish(
                has_body=_wants_none if max_body_bytes is None else _wants_body_of(request),
                max_body_bytes=max_body_bytes or 0,
            )
            head, body = await self._connections.exchange(address.place, on_the_wire(request, address), wish)
            following = redirected(request, head.status, head.headers.get("location"))
            if following is None:
                return head, body
            request = following
        return None


async def _told(call: Coroutine[Any, Any, Outcome], done: Callable[[Outcome | Exception], None]) -> None:
    try:
        outcome: Outcome | Exception = await call
    except Exception as exc:  # noqa: BLE001 - whoever has begun the call decides
        outcome = exc
    done(outcome)


def _wants_body_of(request: HttpRequest) -> Callable[[Head], bool]:
    """Of a redirect nobody reads the body."""
    return lambda head: redirected(request, head.status, head.headers.get("location")) is None


def _wants_none(_head: Head) -> bool:
    return False


# ---- what went wrong, in words -----------------------------------------------------------------


def _cause(exc: OSError, timeout_ms: int) -> str:
    match exc:
        case socket.gaierror():
            return f"host not found: {exc}"
        case TimeoutError(errno=None):
            return f"timed out after {timeout_ms} ms"
        case ssl.SSLCertVerificationError():
            return f"TLS: certificate not accepted: {exc.verify_message}"
        case ssl.SSLError():
            return f"TLS: {(exc.strerror or str(exc)).lower()}"
        case OSError(errno=int(number)):
            return os.strerror(number).lower()
    return str(exc) or "connection closed before an answer"


def _reason(head: Head) -> str:
    """The words after the status, the usual ones where the service sent none."""
    known = head.status in HTTPStatus.__members__.values()
    return head.reason or (HTTPStatus(head.status).phrase if known else "")
