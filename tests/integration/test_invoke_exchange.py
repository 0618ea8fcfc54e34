# SPDX-License-Identifier: Apache-2.0
"""Answers as servers send them, byte by byte: what is taken for one, and what becomes of the connection."""

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from argyll_engine.invoke import HttpStepClient
from argyll_engine.model.invocation import Failed, Invocation, NotCompleted, Outcome, Succeeded
from argyll_engine.model.step import HttpConfig, Step, StepType

LIMIT_BYTES = 1_000
WELL = Succeeded(outputs={"a": 1})
OK = b"HTTP/1.1 200 OK\r\n"
BODY = b'{"a":1}'
PACKED = b'{"a":1}'.ljust(LIMIT_BYTES)
BOMB = gzip.compress(b" " * 1_000_000, mtime=0)


class Script:
    """A server that sends prepared bytes, one answer a request; `accepted` counts connections."""

    def __init__(self, *answers: bytes, closes: bool = False) -> None:
        self._answers = list(answers)
        self._closes = closes
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def serve(self) -> None:
        """Until all answers were sent."""
        while self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with connection:
                while self._answers and self._has_asked(connection):
                    connection.sendall(self._answers.pop(0))
                    if self._closes:
                        break
                if not self._closes:
                    connection.recv(1)  # until the other end closes

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _has_asked(self, connection: socket.socket) -> bool:
        received = b""
        while b"\r\n\r\n{" not in received:
            piece = connection.recv(65_536)
            if not piece:
                return False
            received += piece
        return True


@contextmanager
def serving(script: Script) -> Iterator[HttpStepClient]:
    """A client, while the script is served."""
    thread = threading.Thread(target=script.serve)
    thread.start()
    client = HttpStepClient(timeout_ms=5_000, max_response_bytes=LIMIT_BYTES)
    yield client
    client.close()
    script.close()
    thread.join()


def call(client: HttpStepClient, url: str) -> Outcome:
    """How a call ends."""
    step = Step(id="s", name="S", type=StepType.SYNC, http=HttpConfig(endpoint=url))
    return client.invoke(Invocation(flow_id="f", step_id="s", token="t", attempt=1, step=step, arguments={}))


def with_length(body: bytes, *headers: bytes) -> bytes:
    """A whole answer."""
    return OK + b"".join(header + b"\r\n" for header in headers) + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + with_length(BODY), WELL),
        (with_length(BODY).replace(b"\r\n", b"\n"), WELL),
        (with_length(gzip.compress(PACKED, mtime=0), b"Content-Encoding: gzip"), WELL),
        (with_length(zlib.compress(PACKED), b"Content-Encoding: deflate"), WELL),
        (with_length(zlib.compress(PACKED)[2:-4], b"Content-Encoding: deflate"), WELL),
        (
            with_length(BOMB, b"Content-Encoding: gzip"),
            Failed(error=f"step response exceeds the limit of {LIMIT_BYTES} bytes"),
        ),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n7\r\n" + BODY + b"\r\n0\r\nTrailer: x\r\n\r\n", WELL),
    ],
)
def test_answers_of_many_forms(answer: bytes, outcome: Outcome) -> None:
    """Preliminary answers, bare line feeds, bodies that are packed though nobody asked, bombs among them."""
    script = Script(answer)
    with serving(script) as client:
        assert outcome == call(client, script.url)


@pytest.mark.parametrize("answer", [OK + b"\r\n" + BODY, b"HTTP/1.0 200 OK\r\n\r\n" + BODY])
def test_a_body_that_ends_with_its_connection(answer: bytes) -> None:
    """Nothing says how long it is, so the end says it."""
    script = Script(answer, closes=True)
    with serving(script) as client:
        assert WELL == call(client, script.url)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP: "),
        (with_length(BODY, b"Content-Encoding: gzip"), "content-encoding: "),
        (OK + b"X: " + b"x" * 1_100_000, "the head of the answer has no end"),
    ],
)
def test_what_is_no_answer_is_tried_again(answer: bytes, cause: str) -> None:
    """Somebody else may be there another time."""
    script = Script(answer)
    with serving(script) as client:
        outcome = call(client, script.url)
    assert isinstance(outcome, NotCompleted)
    assert outcome.error.startswith(f"work not completed\n{cause}")


@pytest.mark.parametrize(
    ("first", "connections"),
    [
        (with_length(BODY), 1),
        (with_length(BODY, b"Connection: close"), 2),
        (with_length(BODY) + b"HTTP/1.1 200 OK\r\n", 2),
        (with_length(BODY) + b"rubbish", 2),
    ],
)
def test_which_connections_are_used_again(first: bytes, connections: int) -> None:
    """One that has said more than it was asked, or that it ends, is not."""
    script = Script(first, with_length(BODY))
    with serving(script) as client:
        assert [WELL, WELL] == [call(client, script.url) for _ in range(2)]
    assert connections == script.accepted


def test_a_call_that_begins_is_told_of_its_end() -> None:
    """Many begin at once, from a thread that does not wait; each hears of its own end once."""
    script = Script(*[with_length(BODY)] * 3)
    ended, heard = threading.Semaphore(0), list[Outcome | Exception]()

    def done(outcome: Outcome | Exception) -> None:
        heard.append(outcome)
        ended.release()

    step = Step(id="s", name="S", type=StepType.SYNC, http=HttpConfig(endpoint=script.url))
    asked = Invocation(flow_id="f", step_id="s", token="t", attempt=1, step=step, arguments={})
    with serving(script) as client:
        for _ in range(3):
            client.begin(asked, done)
            assert ended.acquire(timeout=20)
    assert [WELL] * 3 == heard


def test_a_fault_of_ours_is_told_as_one() -> None:
    """A request that cannot be written is nothing that the step has done."""
    step = Step(id="s", name="S", type=StepType.SYNC, http=HttpConfig(endpoint="http://127.0.0.1:9/"))
    asked = Invocation(flow_id="f\r\n", step_id="s", token="t", attempt=1, step=step, arguments={})
    ended, heard = threading.Semaphore(0), list[Outcome | Exception]()
    client = HttpStepClient(timeout_ms=5_000, max_response_bytes=LIMIT_BYTES)
    client.begin(asked, lambda outcome: (heard.append(outcome), ended.release()))
    assert ended.acquire(timeout=20)
    client.close()
    assert [ValueError] == [type(one) for one in heard]
