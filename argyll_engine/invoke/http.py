# SPDX-License-Identifier: Apache-2.0
"""Calls HTTP steps over pooled connections: the only HTTP client. Built by `wiring.py`, once per process.

What is sent is `request.py`, what an answer means is `policy/outcome.py`.

One call is one attempt: nothing is sent twice here but for redirects. A pooled connection that the server has
closed while it was idle is noticed before it is used, and a new one is opened. When the server closes it at the very
moment we write, nobody can tell whether the step has seen the request; that is an attempt without an answer, and the
step's own retry policy decides.
"""

import http.client
import io
import socket
import ssl
import time
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse

from argyll_engine.invoke.request import USER_AGENT, HttpRequest, build_compensation, build_request, redirected
from argyll_engine.model.invocation import Compensation, Failed, Invocation, NotCompleted, Outcome
from argyll_engine.model.step import Step
from argyll_engine.policy.outcome import Answer, classify, classify_compensation, not_completed, too_large

MAX_REDIRECTS: Final = 10
TOO_MANY_REDIRECTS: Final = f"stopped after {MAX_REDIRECTS} redirects"
MAX_POOLS: Final = 256
"""Different hosts to which connections are kept."""
CHUNK_BYTES: Final = 65_536
_SHORTEST_SECONDS: Final = 0.001  # urllib3 refuses zero


class HttpStepClient:
    """Implements `ports.StepClient` for steps of type `sync` and `async`; may be shared by threads.

    Args:
        timeout_ms: for steps that give none.
        max_response_bytes: larger answers fail the work for good.
        protocol: `bare` or `envelope`, for steps that do not say.
        connections: idle ones that are kept per host, as many as there are threads.
    """

    def __init__(
        self, *, timeout_ms: int, max_response_bytes: int, protocol: str = "bare", connections: int = 32
    ) -> None:
        self._timeout_ms, self._max_response_bytes, self._protocol = timeout_ms, max_response_bytes, protocol
        self._pools = urllib3.PoolManager(
            num_pools=MAX_POOLS, maxsize=connections, ssl_context=ssl.create_default_context()
        )
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def invoke(self, invocation: Invocation) -> Outcome:
        """How the call of the step ended; never raises for anything that the step or the network does.

        Source: the contract, http §3.1, §3.2 and execution §3.5, X31.
        """
        answer = self._perform(build_request(invocation, self._protocol), invocation.step)
        return classify(invocation.step, answer) if isinstance(answer, Answer) else answer

    def compensate(self, compensation: Compensation) -> Outcome:
        """How undoing ended; never raises either. Source: the contract, http §3.4."""
        answer = self._perform(build_compensation(compensation), compensation.step)
        return classify_compensation(answer) if isinstance(answer, Answer) else answer

    def _perform(self, request: HttpRequest | Failed, step: Step) -> Answer | NotCompleted | Failed:
        """The answer to a request within the step's time, or what went wrong before there was one."""
        if isinstance(request, Failed):
            return request
        config = step.http
        timeout_ms = config.timeout_ms if config and config.timeout_ms > 0 else self._timeout_ms
        try:
            answer = self._call(request, time.monotonic() + timeout_ms / 1_000)
        except exceptions.LocationValueError as exc:
            return Failed(error=f"invalid endpoint: {exc}")
        except exceptions.HTTPError as exc:
            return not_completed(_cause(exc, timeout_ms))
        if isinstance(answer, Answer) and 200 <= answer.status < 300 and len(answer.body) > self._max_response_bytes:
            return too_large(self._max_response_bytes)
        return answer

    def probe(self, url: str, timeout_ms: int) -> str:
        """What is wrong with the service that answers under a URL; empty when it is well. Source: http §3.5."""
        request = HttpRequest(method="GET", url=url, headers={"Accept": "*/*", "User-Agent": USER_AGENT}, body=None)
        try:
            response = self._respond(request, time.monotonic() + timeout_ms / 1_000)
        except exceptions.HTTPError as exc:
            return f"invalid URL: {exc}" if isinstance(exc, exceptions.LocationValueError) else _cause(exc, timeout_ms)
        if response is None:
            return TOO_MANY_REDIRECTS
        response.close()
        return f"HTTP {response.status} {_reason(response)}".rstrip() if response.status >= 400 else ""

    def close(self) -> None:
        """Close all idle connections."""
        self._pools.clear()

    def _call(self, request: HttpRequest, deadline: float) -> Answer | NotCompleted:
        """The answer at the end of all redirects; its body may be cut off where it exceeds the limit."""
        response = self._respond(request, deadline)
        return not_completed(TOO_MANY_REDIRECTS) if response is None else self._read(response)

    def _respond(self, request: HttpRequest, deadline: float) -> BaseHTTPResponse | None:
        """The response at the end of all redirects, its body still to be read; None if there are too many."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(request, deadline)
            following = redirected(request, response.status, response.headers.get("Location"))
            if following is None:
                return response
            response.close()
            request = following
        return None

    def _send(self, request: HttpRequest, deadline: float) -> BaseHTTPResponse:
        """The response, its body still to be read.

        The target goes out as it was written: urllib3's own parsing would take `..` segments out of the path.
        """
        pool = self._pools.connection_from_url(request.url)
        parts = urlsplit(request.url)
        headers = dict(request.headers)
        if parts.username:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = urllib3.make_headers(basic_auth=credentials)["authorization"]
        return pool.urlopen(
            request.method,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=request.body,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            timeout=urllib3.Timeout(total=max(deadline - time.monotonic(), _SHORTEST_SECONDS)),
        )

    def _read(self, response: BaseHTTPResponse) -> Answer:
        body = bytearray()
        for chunk in response.stream(CHUNK_BYTES):
            body += chunk
            if len(body) > self._max_response_bytes:
                response.close()
                break
        response.release_conn()
        return Answer(status=response.status, content_type=response.headers.get("Content-Type", ""), body=bytes(body))


# ---- the timeout, over the whole of an answer --------------------------------------------------


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a point in time, instead of waiting so long for each piece anew."""

    def __init__(self, sock: socket.socket) -> None:
        timeout_seconds = sock.gettimeout()
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # typed as in typeshed: any writable buffer
        if self._deadline is not None:
            left_seconds = self._deadline - time.monotonic()
            if left_seconds <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left_seconds)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """As much of a socket as a response needs."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock))


class _TimedResponse(http.client.HTTPResponse):
    """Urllib3 sets what is left of the total timeout on the socket before it makes a response."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # passed on as they are
        super().__init__(_TimedSocket(sock), *args, **kwargs)  # type: ignore[arg-type]  # it only calls makefile


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _TLSConnection(HTTPSConnection):
    response_class = _TimedResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


# ---- what went wrong, in words -----------------------------------------------------------------


def _cause(exc: exceptions.HTTPError, timeout_ms: int) -> str:
    match exc:
        case exceptions.NameResolutionError():
            return f"host not found: {exc.__cause__}"
        case exceptions.NewConnectionError():
            return _in_words(exc.__cause__ or exc)
        case exceptions.TimeoutError():
            return f"timed out after {timeout_ms} ms"
        case exceptions.SSLError():
            return f"TLS: {_in_words(exc.args[0])}"
        case exceptions.ProtocolError():
            return _in_words(exc.args[-1])
    return str(exc)


def _reason(response: BaseHTTPResponse) -> str:
    """The words after the status, the usual ones where the service sent none."""
    known = response.status in HTTPStatus.__members__.values()
    return response.reason or (HTTPStatus(response.status).phrase if known else "")


def _in_words(cause: BaseException | str) -> str:
    match cause:
        case http.client.RemoteDisconnected():
            return "connection closed before an answer"
        case http.client.IncompleteRead():
            return "connection closed in the middle of the answer"
        case ssl.SSLCertVerificationError():
            return f"certificate not accepted: {cause.verify_message}"
        case OSError(strerror=str(reason)):
            return reason.lower()
    return str(cause)
