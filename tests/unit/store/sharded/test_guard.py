# SPDX-License-Identifier: Apache-2.0
"""A shard that is away is not asked until it is back, and one that only refused is asked again at once."""

from threading import Event, Thread

import pytest
from redis.exceptions import ResponseError

from argyll_engine.errors import BrokenError, StoreUnavailableError
from argyll_engine.store.sharded.guard import Guard

PATIENCE_SECONDS = 10


class Place:
    """A shard that is away until told otherwise."""

    def __init__(self, is_away: bool = True) -> None:
        self.is_away = is_away
        self.calls = 0
        self.looked = Event()
        self.found = Event()

    def call(self) -> str:
        """Fails whether the shard is away or not."""
        self.calls += 1
        raise StoreUnavailableError("flow-1", "it refused")

    def look(self) -> None:
        """Whether the shard is there."""
        self.looked.set()
        if self.is_away:
            raise StoreUnavailableError("flow-1", "nobody listens")
        self.found.set()


def _is_through(guard: Guard) -> bool:
    try:
        return guard.run(lambda: True)
    except StoreUnavailableError:
        return False


def test_who_asks_again_is_told_at_once() -> None:
    """With the reason of the one who found out."""
    place = Place()
    guard = Guard("flow-1", place.look)
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="it refused"):
            guard.run(place.call)
    assert 1 == place.calls
    place.is_away = False


def test_a_shard_that_is_back_is_asked_again() -> None:
    """As soon as a look finds it."""
    place = Place()
    guard = Guard("flow-1", place.look)
    with pytest.raises(StoreUnavailableError):
        guard.run(place.call)
    assert place.looked.wait(PATIENCE_SECONDS)
    place.is_away = False
    assert place.found.wait(PATIENCE_SECONDS)
    assert any(_is_through(guard) for _ in range(100_000))


def test_a_shard_that_refuses_is_not_away() -> None:
    """One that is full serves reads meanwhile."""

    def refuse() -> None:
        try:
            raise ResponseError("OOM command not allowed")
        except ResponseError as exc:
            raise StoreUnavailableError("flow-1", str(exc)) from exc

    place = Place()
    guard = Guard("flow-1", place.look)
    with pytest.raises(StoreUnavailableError):
        guard.run(refuse)
    assert "answer" == guard.run(lambda: "answer")


def test_a_shard_that_failed_once_is_asked_again() -> None:
    """As soon as a look has found it."""
    place = Place(is_away=False)
    guard = Guard("flow-1", place.look)
    with pytest.raises(StoreUnavailableError):
        guard.run(place.call)
    assert place.found.wait(PATIENCE_SECONDS)
    assert any(_is_through(guard) for _ in range(100_000))


def test_a_shard_that_nobody_can_look_for_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be away for ever where no thread can be started."""

    def start(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    place = Place()
    guard = Guard("flow-1", place.look)
    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", start)
        with pytest.raises(StoreUnavailableError, match="it refused"):
            guard.run(place.call)
    assert "answer" == guard.run(lambda: "answer")


def test_other_errors_say_nothing_of_the_shard() -> None:
    """They are raised, and the next call goes through."""

    def fail() -> None:
        raise BrokenError("a defect")

    guard = Guard("flow-1", Place().look)
    with pytest.raises(BrokenError):
        guard.run(fail)
    assert "answer" == guard.run(lambda: "answer")
