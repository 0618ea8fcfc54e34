# SPDX-License-Identifier: Apache-2.0
"""Commands in one round trip: answers in order, refusals among them, and connections that nobody inherits in pieces."""

import threading
import time

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ExecAbortError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from argyll_engine.round_trip import ask, ask_all, ask_at_once
from argyll_engine.store.connect import connect
from tests.contract.redis_server import RedisServer

WRONG = ("LPUSH", "text", "x")
SECONDS = 0.3


def test_answers_come_in_order(client: Redis) -> None:
    """Text, bytes and numbers go out; bytes, numbers, lists and nothing come back."""
    answers = ask(
        client, [("SET", "a", "ä"), ("GET", b"a"), ("RPUSH", "l", 1, "2"), ("LRANGE", "l", 0, -1), ("GET", "n")]
    )
    assert [b"OK", "ä".encode(), 2, [b"1", b"2"], None] == answers


def test_nothing_to_ask(client: Redis) -> None:
    """No connection is needed for that."""
    assert [] == ask(client, [])


def test_a_refusal_is_an_answer(client: Redis) -> None:
    """Those after it are carried out, and the connection is as good as before."""
    client.set("text", "t")
    for _ in range(2):
        first, refused, last = ask(client, [("GET", "text"), WRONG, ("GET", "text")])
        assert (b"t", b"t") == (first, last)
        assert isinstance(refused, ResponseError)
        assert "WRONGTYPE" in str(refused)


def test_a_refusal_is_raised_where_none_may_be(client: Redis) -> None:
    """The commands beside it were carried out all the same."""
    client.set("text", "t")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        ask_all(client, [WRONG, ("SET", "b", 1)])
    assert b"1" == client.get("b")
    assert [b"1"] == ask_all(client, [("GET", "b")])


def test_at_once_means_that_nobody_comes_between(client: Redis) -> None:
    """One command may fail without the rest."""
    client.set("text", "t")
    one, refused, two = ask_at_once(client, [("INCR", "n"), WRONG, ("INCR", "n")])
    assert (1, 2) == (one, two)
    assert isinstance(refused, ResponseError)


def test_at_once_is_none_where_one_cannot_be_taken(client: Redis) -> None:
    """The reason is that command's, not that the others were given up."""
    with pytest.raises(ResponseError, match="unknown command") as refusal:
        ask_at_once(client, [("INCR", "n"), ("NO-SUCH-COMMAND",)])
    assert not isinstance(refusal.value, ExecAbortError)
    assert client.get("n") is None


def test_an_answer_that_is_late_is_for_nobody_else(own_server: RedisServer) -> None:
    """Whoever has the connection next does not get what the one before did not wait for."""
    with connect(own_server.config(), SECONDS) as client:
        assert [b"PONG"] == ask(client, [("PING",)])
        own_server.pause()
        with pytest.raises(RedisTimeoutError):
            ask(client, [("ECHO", "late")])
        own_server.resume()
        assert [b"PONG"] == ask(client, [("PING",)])


def test_a_restart_between_two_is_no_fault(own_server: RedisServer) -> None:
    """An idle connection is looked at before it is used."""
    with connect(own_server.config()) as client:
        ask(client, [("PING",)])
        own_server.stop()
        with pytest.raises(RedisError):
            ask(client, [("PING",)])
        own_server.start()
        assert [b"PONG"] == ask(client, [("PING",)])
        own_server.stop()
        own_server.start()
        assert [b"PONG"] == ask(client, [("PING",)])


def test_an_end_in_the_middle_is_a_fault(own_server: RedisServer) -> None:
    """Nobody knows what was carried out, so no part of the answers is given."""
    with connect(own_server.config()) as client:
        ask(client, [("PING",)])
        ending = threading.Thread(target=lambda: (time.sleep(SECONDS), own_server.stop()))
        ending.start()
        with pytest.raises(RedisConnectionError):
            ask(client, [("PING",), ("BLPOP", "nothing", 0)])
        ending.join()
