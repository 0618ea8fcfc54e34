# SPDX-License-Identifier: Apache-2.0
"""What asking a service how it is tells of it, over real sockets."""

import socket
import threading
from collections.abc import Iterator

import pytest

from argyll_engine.invoke.http import HttpStepClient
from tests.acceptance.services import Reply, StepServices, running

TIMEOUT_MS = 2_000


@pytest.fixture
def services() -> Iterator[StepServices]:
    """A service."""
    with running() as services:
        yield services


@pytest.fixture
def client() -> Iterator[HttpStepClient]:
    """The client of the engine."""
    client = HttpStepClient(timeout_ms=TIMEOUT_MS, max_response_bytes=1_024)
    yield client
    client.close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, ""),
        (204, ""),
        (304, ""),
        (404, "HTTP 404 Not Found"),
        (503, "HTTP 503 Service Unavailable"),
        (599, "HTTP 599"),
    ],
)
def test_the_status_says_it(client: HttpStepClient, services: StepServices, status: int, expected: str) -> None:
    """Below 400 all is well; the body does not matter."""
    services["health"].answers(Reply(status=status, body={"status": "awful"}))
    assert expected == client.probe(services["health"].url, TIMEOUT_MS)


def test_no_answer_in_time(client: HttpStepClient, services: StepServices) -> None:
    """The wait is bounded by the probe's own time."""
    services["health"].answers(Reply(gate=services.gate()))
    assert "timed out after 200 ms" == client.probe(services["health"].url, 200)


def test_nobody_listens(client: HttpStepClient) -> None:
    """The reason comes in words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "connection refused" == client.probe(f"http://127.0.0.1:{port}/health", TIMEOUT_MS)


@pytest.mark.parametrize("url", ["??", "", "ftp://host/x", "http://", "http://host:port/", "/health"])
def test_an_address_that_is_none(client: HttpStepClient, url: str) -> None:
    """Registration takes any text; the probe says what is wrong and raises nothing."""
    assert client.probe(url, TIMEOUT_MS)


def test_redirects_that_never_end(client: HttpStepClient) -> None:
    """They are followed ten times."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        threading.Thread(target=_redirect, args=(server, url), daemon=True).start()
        assert "stopped after 10 redirects" == client.probe(url, TIMEOUT_MS)


def _redirect(server: socket.socket, url: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    for _ in range(11):
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answer)
