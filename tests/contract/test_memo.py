# SPDX-License-Identifier: Apache-2.0
"""What a shared memory of results promises, memory and Redis alike."""

import threading
from typing import Any

import pytest
from redis import Redis

from argyll_engine.errors import BrokenError, StoreUnavailableError
from argyll_engine.model.invocation import Succeeded
from argyll_engine.store.connect import connect
from argyll_engine.store.keys import Keys
from argyll_engine.store.memo import RedisMemo
from tests.contract.conftest import MEMO_CAPACITY, Backend
from tests.contract.redis_server import RedisServer


def _result(number: Any) -> Succeeded:
    return Succeeded(outputs={"x": number})


def _keep(backend: Backend, *keys: str) -> None:
    for key in keys:
        backend.memo.keep({key: _result(key)})


def _kept(backend: Backend, *keys: str) -> list[str]:
    return [key for key, found in zip(keys, backend.memo.find(keys), strict=True) if found is not None]


def test_unknown_keys_have_no_result(backend: Backend) -> None:
    """Nothing is found where nothing was kept."""
    assert [None, None] == [*backend.memo.find(["a", "b"])]
    assert [] == [*backend.memo.find([])]


@pytest.mark.parametrize("outputs", [None, {}, {"x": [1, 2.5, None, True, "ü", 10**30, {"y": {}}]}])
def test_results_come_back_as_they_were(backend: Backend, outputs: Any) -> None:
    """Every value, and the difference between no outputs and none at all."""
    result = Succeeded(outputs=outputs)
    assert {"a": result} == backend.memo.keep({"a": result})
    assert [result, None] == [*backend.memo.find(["a", "b"])]


def test_the_first_result_stays(backend: Backend) -> None:
    """Who comes later is told what is kept, and nothing changes."""
    backend.memo.keep({"a": _result(1)})
    assert {"a": _result(1), "b": _result(2)} == backend.memo.keep({"a": _result(2), "b": _result(2)})
    assert [_result(1), _result(2)] == [*backend.memo.find(["a", "b"])]


def test_the_oldest_goes_first(backend: Backend) -> None:
    """There are never more results than the capacity."""
    _keep(backend, "a", "b", "c", "d", "e")
    assert ["c", "d", "e"] == _kept(backend, "a", "b", "c", "d", "e")


def test_what_is_used_stays(backend: Backend) -> None:
    """To be found counts as use; the result that was not used for longest goes."""
    _keep(backend, "a", "b", "c")
    backend.memo.find(["a"])
    _keep(backend, "d")
    backend.memo.find(["c"])
    _keep(backend, "e")
    assert ["c", "d", "e"] == [*sorted(_kept(backend, "a", "b", "c", "d", "e"))]


def test_writers_at_once_keep_the_bound_and_agree(backend: Backend) -> None:
    """Of many that keep a result under one key at the same time, all are told the same one."""
    answers: list[Succeeded] = []

    def write(number: int) -> None:
        answers.append(backend.memo.keep({"same": _result(number)})["same"])
        _keep(backend, f"own-{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(MEMO_CAPACITY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = ["same", *(f"own-{number}" for number in range(MEMO_CAPACITY))]
    assert (MEMO_CAPACITY, 1) == (len(_kept(backend, *keys)), len({str(answer) for answer in answers}))


# ---- Redis alone -----------------------------------------------------------------------------


def _sizes(client: Redis, prefix: str) -> tuple[int, int]:
    keys = Keys(prefix)
    values: Any = client.hlen(keys.memo())
    order: Any = client.zcard(keys.memo_order())
    return values, order


def test_both_keys_have_the_same_members(client: Redis) -> None:
    """What is dropped is dropped whole, and what is kept twice is listed once."""
    memo = RedisMemo(client, "sizes", capacity=2)
    for number in (1, 2, 2, 3, 1):
        memo.keep({str(number): _result(number)})
    assert (2, 2) == _sizes(client, "sizes")


def test_a_lower_capacity_is_reached_bit_by_bit(client: Redis) -> None:
    """A process with a smaller limit drops a bounded number at a time."""
    RedisMemo(client, "lower", capacity=1_000).keep({str(number): _result(number) for number in range(200)})
    small = RedisMemo(client, "lower", capacity=10)
    small.keep({"x": _result("x")})
    assert (137, 137) == _sizes(client, "lower")
    small.keep({f"y{number}": _result(number) for number in range(4)})
    assert (10, 10) == _sizes(client, "lower")


def test_a_redis_that_is_away_is_unavailable(own_server: RedisServer) -> None:
    """The caller decides what that means."""
    with connect(own_server.config()) as client:
        memo = RedisMemo(client, "away", capacity=1)
        own_server.stop()
        with pytest.raises(StoreUnavailableError):
            memo.find(["a"])
        with pytest.raises(StoreUnavailableError):
            memo.keep({"a": _result(1)})


def test_a_key_of_another_type_is_broken(client: Redis) -> None:
    """Somebody else has used the name."""
    client.set(Keys("odd").memo(), "text")
    with pytest.raises(BrokenError):
        RedisMemo(client, "odd", capacity=1).find(["a"])
