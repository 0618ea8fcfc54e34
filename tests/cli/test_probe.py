# SPDX-License-Identifier: Apache-2.0
"""Probes and metrics of commands that serve no API, on their port and by `argyll probe`."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner, Result

from argyll_api.cli import main
from argyll_api.cli.probe_server import probes_served
from argyll_api.cli.startup import Refusal
from argyll_engine.config import EngineConfig, RedisConfig
from argyll_engine.store.connect import connect
from tests.cli.conftest import free_port
from tests.contract.redis_server import RedisServer


class Children:
    """The children of a supervisor, whose health a test says."""

    def __init__(self) -> None:
        self.sick: tuple[str, ...] = ()

    def unwell(self) -> tuple[str, ...]:
        """Names."""
        return self.sick


@pytest.fixture
def children() -> Children:
    """All of them are well."""
    return Children()


@pytest.fixture
def port(children: Children, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port on which a supervisor with these children answers, over a Redis with a live worker."""
    with TemporaryDirectory(prefix="argyll-probe-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        port, redis = free_port(), RedisConfig(addr=f"unix://{folder}/redis.sock", prefix="argyll:flow")
        config = EngineConfig(engine_redis=redis, flow_redis=redis, api_host="127.0.0.1", worker_metrics_port=port)
        with redis_client(server) as client:
            client.zadd("{argyll:flow}:workers", {"w": 1e15})
        monkeypatch.setenv("API_HOST", "127.0.0.1")
        monkeypatch.setenv("WORKER_METRICS_PORT", str(port))
        with probes_served(config, "", children.unwell):
            yield port
        server.stop()


def redis_client(server: RedisServer) -> Any:
    """A client of the Redis."""
    return connect(server.config())


def get(port: int, path: str) -> tuple[int, str, bytes]:
    """Status, content type and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.headers["Content-Type"], exc.read()


def probe(*words: str) -> Result:
    """What the command printed, and its exit code."""
    return CliRunner().invoke(main, ["probe", *words])


def test_all_is_well(port: int) -> None:
    """Every path answers, the command agrees, and the page has the numbers of the deployment."""
    for path in ("/livez", "/readyz", "/healthz"):
        status, kind, body = get(port, path)
        assert (200, "application/json; charset=utf-8", "ready") == (status, kind, json.loads(body)["status"])
    assert [0, 0, 0] == [probe(question).exit_code for question in ("live", "ready", "health")]
    status, kind, page = get(port, "/metrics")
    assert (200, "text/plain; version=0.0.4; charset=utf-8") == (status, kind)
    assert b"\nargyll_workers_alive 1.0\n" in page
    assert 404 == get(port, "/engine/flow")[0]


def test_a_child_without_a_sign_of_life_is_named(port: int, children: Children) -> None:
    """Neither live nor ready, by port and by command."""
    children.sick = ("steps1", "work1")
    status, _, body = get(port, "/livez")
    assert 503 == status
    expected = {"ok": False, "detail": "without a sign of life: steps1, work1"}
    assert expected == json.loads(body)["checks"]["processes"]
    answers = [probe("live"), probe("ready")]
    assert [1, 1] == [answer.exit_code for answer in answers]
    assert "steps1, work1" in answers[0].output


def test_nobody_there_is_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says whom it has asked."""
    port = free_port()
    answer = probe("live", "--port", str(port))
    assert 1 == answer.exit_code
    assert f"port {port}" in answer.output


def test_without_a_port_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten variable must not look like a sick worker."""
    monkeypatch.delenv("WORKER_METRICS_PORT", raising=False)
    assert 2 == probe("live").exit_code


def test_a_taken_port_is_refused_with_the_name_of_its_variable(port: int, children: Children) -> None:
    """The operator has to know which one."""
    config = EngineConfig(api_host="127.0.0.1", worker_metrics_port=port)
    with pytest.raises(Refusal, match="WORKER_METRICS_PORT"), probes_served(config, "", children.unwell):
        raise AssertionError("it was served")
