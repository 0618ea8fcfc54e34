# SPDX-License-Identifier: Apache-2.0
"""How many messages a read takes."""

from argyll_engine.transport.pace import FIRST_READ, MOMENT_SECONDS, Pace


class Watch:
    """A clock that a test moves."""

    at = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.at


def read(pace: Pace, watch: Watch, seconds_each: float, count: int | None = None) -> int:
    """One read worked off; the size of the next."""
    taken = pace.limit if count is None else count
    pace.begin(taken)
    watch.at += taken * seconds_each
    pace.end()
    return pace.limit


def test_quick_messages_are_read_many_at_once():
    """Up to what was allowed, twice as many each time."""
    watch = Watch()
    pace = Pace(200, watch)

    assert [FIRST_READ * 2, FIRST_READ * 4, 200, 200] == [read(pace, watch, 0.0001) for _ in range(4)]


def test_slow_messages_are_read_one_by_one():
    """What takes longer than a moment is never read ahead, and what fits into a moment is."""
    watch = Watch()
    pace = Pace(200, watch)

    assert 1 == read(pace, watch, 2 * MOMENT_SECONDS)
    assert 2 == read(pace, watch, MOMENT_SECONDS / 8)
    assert [4, 8, 8] == [read(pace, watch, MOMENT_SECONDS / 8.5) for _ in range(3)]


def test_a_read_that_brought_nothing_teaches_nothing():
    """An idle worker is as ready as before."""
    watch = Watch()
    pace = Pace(200, watch)

    assert FIRST_READ == read(pace, watch, 60.0, count=0)
    pace.end()
    assert FIRST_READ == pace.limit
