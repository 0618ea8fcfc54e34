# SPDX-License-Identifier: Apache-2.0
"""`argyll dead-letters` on a real Redis."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from argyll_api.cli import main
from argyll_engine.transport.wire import Keys, encode
from tests.contract.redis_server import RedisServer

KEYS = Keys("{argyll:flow}:celery:")
LETTER = {"headers": {"task": "argyll.run_work", "id": "1", "argsrepr": "('f',)"}, "properties": {}, "body": "[]"}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """A Redis with two dead letters in `work`, which the environment names."""
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        for name in [name for name in os.environ if name.endswith(("REDIS_ADDR", "BROKER_URL"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("FLOW_REDIS_ADDR", f"unix://{folder}/redis.sock")
        with Redis(unix_socket_path=f"{folder}/redis.sock") as client:
            for _ in range(2):
                client.xadd(KEYS.dead("work"), {"m": encode(LETTER), "n": 10, "r": "delivered 10 times"})
            yield client
        server.stop()


def run(*words: str) -> Result:
    """What the command printed, and its exit code."""
    return CliRunner().invoke(main, ["dead-letters", *words])


def test_letters_are_listed(broker: Redis) -> None:
    """All queues are looked at; a line says what the message was and why it was given up."""
    text, rows = run("list").output, json.loads(run("list", "--json").output)
    assert "argyll.run_work('f',) (delivered 10 times; 10 failed)" in text
    assert "2 dead letters" in text
    assert [("work", "argyll.run_work", 10)] * 2 == [(row["queue"], row["task"], row["deliveries"]) for row in rows]


def test_a_letter_is_put_back(broker: Redis) -> None:
    """One that is named goes into its queue again, and its failures are forgotten."""
    first = json.loads(run("list", "--json").output)[0]["letter_id"]
    assert "1 put back" in run("retry", "work", first).output
    ((_, fields),) = broker.xrange(KEYS.returned("work"))
    assert ([b"m"], 1) == (list(fields), broker.xlen(KEYS.dead("work")))


def test_letters_are_dropped(broker: Redis) -> None:
    """All of a queue go when that is said."""
    assert "2 dropped" in run("drop", "work", "--all").output
    assert "0 dead letters" in run("list", "work").output


@pytest.mark.parametrize("words", [("drop", "work"), ("retry", "work", "--all", "1-0")])
def test_what_is_meant_must_be_said(broker: Redis, words: tuple[str, ...]) -> None:
    """Neither nothing nor both: some letters, or all."""
    assert 2 == run(*words).exit_code
    assert 2 == broker.xlen(KEYS.dead("work"))


def test_other_brokers_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another broker the command says that it cannot help."""
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://guest@localhost//")
    assert 2 == run("list").exit_code
