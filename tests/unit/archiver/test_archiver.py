# SPDX-License-Identifier: Apache-2.0
"""When batches are archived, how many follow at once, and that archivers do not do the same work twice."""

from threading import Barrier
from typing import Any

import pytest

from argyll_archiver.meter import FAILURE
from argyll_archiver.watch import Watch
from argyll_engine.errors import StoreUnavailableError
from argyll_engine.log import fields_of
from argyll_engine.model.vitals import MemoryUse
from tests.unit.archiver.archiving import LEASE_SECONDS, Archiving


def test_without_pressure_nothing_is_archived_for_memory() -> None:
    """However many flows have ended."""
    archiving = Archiving()
    archiving.end("a")
    archiving.fill_memory(79)
    assert 0 == archiving.archiver.check_memory()


def test_under_pressure_batches_follow_until_there_is_room() -> None:
    """The oldest first, whatever their age."""
    archiving = Archiving(pressure_batch=2, max_age_seconds=86_400.0)
    archiving.end(*"abcdefg")
    readings = iter([90, 90, 78, 76])
    archiving.store.memory = lambda: MemoryUse(used_bytes=next(readings), limit_bytes=100)  # type: ignore[method-assign]
    assert 4 == archiving.archiver.check_memory()
    assert [False, False, False, False, True, True, True] == [bool(archiving.log(each)) for each in "abcdefg"]


def test_only_old_flows_are_swept() -> None:
    """Strictly older than the age."""
    archiving = Archiving(max_age_seconds=10.0)
    archiving.end("a")
    archiving.pass_time(8.9)
    assert 0 == archiving.archiver.sweep()
    archiving.pass_time(0.2)
    assert 1 == archiving.archiver.sweep()


def test_a_sweep_goes_on_while_there_is_more() -> None:
    """Batch after batch."""
    archiving = Archiving(sweep_batch=2)
    archiving.end(*"abcde")
    assert 5 == archiving.archiver.sweep()


@pytest.mark.parametrize(("ended", "calls"), [("a", 0), ("ab", 1), ("abcdef", 1)])
def test_a_sweep_calls_for_help_when_there_is_much_to_do(ended: str, calls: int) -> None:
    """Once, whoever comes."""
    archiving = Archiving(sweep_batch=2)
    archiving.end(*ended)
    called: list[bool] = []
    archiving.archiver.sweep(lambda: called.append(True))
    assert calls == len(called)


def test_a_sweep_ends_with_its_interval() -> None:
    """The next one goes on."""
    archiving = Archiving(sweep_batch=1, sweep_interval_seconds=10.0)
    archiving.end(*"abcde")
    seconds = [0.0]
    archiving.archiver._clock_seconds = lambda: seconds[0]

    def take_a_while(key: str) -> None:
        seconds[0] += 4.0

    archiving.sink.before_put = take_a_while
    assert (3, 2) == (archiving.archiver.sweep(), archiving.archiver.sweep())


def test_a_stopped_archiver_begins_no_batch() -> None:
    """What is in hand is ended."""
    archiving = Archiving(sweep_batch=1)
    archiving.end("a", "b")
    archiving.sink.before_put = lambda key: archiving.archiver.stop()
    assert (1, 0) == (archiving.archiver.sweep(), archiving.archiver.sweep())


def test_archivers_never_do_the_same_work() -> None:
    """One that begins while another is at work gets what is left."""
    archiving = Archiving(sweep_batch=2)
    archiving.end(*"abcd")
    others, rounds = iter([archiving.another_archiver()]), []

    def meanwhile(key: str) -> None:
        rounds.extend(other.sweep() for other in others)

    archiving.sink.before_put = meanwhile
    assert (2, [2], 4) == (archiving.archiver.sweep(), rounds, len(archiving.sink.put_keys))


def test_what_a_lost_archiver_had_is_taken_over_when_its_lease_is_over() -> None:
    """Not before."""
    archiving = Archiving()
    logs = archiving.end("a")
    archiving.jobs.reserve("lost", None, 1, int(LEASE_SECONDS * 1_000))
    assert (0, 0) == (archiving.archiver.sweep(), archiving.archiver.finish())
    archiving.pass_time(LEASE_SECONDS)
    assert (1, logs["a"]) == (archiving.archiver.finish(), archiving.archived_log("a"))


def test_leases_are_given_back_when_the_store_is_there_again(caplog: pytest.LogCaptureFixture) -> None:
    """So that flows need not wait for the end of leases that nobody uses. The failure is one line, with its cause."""
    archiving = Archiving()
    archiving.end("a")
    replace = archiving.jobs.replace
    archiving.jobs.replace = _away  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        archiving.archiver.sweep()
    (line,) = [record for record in caplog.records if record.getMessage() == FAILURE]
    assert {"flow_ids": "a", "flows": 1, "cause": "store"}.items() <= fields_of(line).items()
    archiving.jobs.replace = replace  # type: ignore[method-assign]
    assert (1, 1) == (archiving.archiver.finish(), len(archiving.sink.objects))


def test_leases_are_given_back_later_when_the_store_stays_away() -> None:
    """Nothing of them is forgotten."""
    archiving = Archiving()
    archiving.end("a")
    replace, rest = archiving.jobs.replace, archiving.jobs.rest
    archiving.jobs.replace = archiving.jobs.rest = _away  # type: ignore[method-assign,assignment]
    for verb in (archiving.archiver.sweep, archiving.archiver.finish):
        with pytest.raises(StoreUnavailableError):
            verb()
    archiving.jobs.replace, archiving.jobs.rest = replace, rest  # type: ignore[method-assign]
    assert 1 == archiving.archiver.finish()


def _away(*_: Any) -> Any:
    raise StoreUnavailableError("flow", "gone")


# ---- the watch -------------------------------------------------------------------------------


def test_the_watch_finishes_what_is_unfinished() -> None:
    """With each look."""
    archiving = Archiving()
    archiving.end("a")
    archiving.jobs.reserve("lost", None, 1, 0)
    Watch(archiving.archiver, 0.5).look()
    assert () == archiving.log("a")


def test_the_watch_outlives_what_goes_wrong() -> None:
    """A store that is away, and what nobody foresaw."""
    archiving = Archiving()
    archiving.jobs.take_over = _away  # type: ignore[method-assign]
    Watch(archiving.archiver, 0.5).look()

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    archiving.jobs.take_over = broken  # type: ignore[method-assign]
    Watch(archiving.archiver, 0.5).look()


def test_while_memory_is_short_batches_go_side_by_side() -> None:
    """Each writes while the others do, and no flow is in two of them."""
    archiving = Archiving(pressure_batch=1)
    logs = archiving.end(*"abcdef")
    archiving.fill_memory(90)
    meeting = Barrier(3)
    archiving.sink.before_put = lambda key: (meeting.wait(30), None)[1]
    assert len(logs) == archiving.another_archiver(side_by_side=3).check_memory()
    assert logs == {flow_id: archiving.archived_log(flow_id) for flow_id in logs}
    assert len(logs) == len(archiving.sink.put_keys)


def test_nothing_is_begun_side_by_side_while_there_is_room() -> None:
    """Nor without flows."""
    archiving = Archiving()
    archiving.end("a")
    archiving.fill_memory(79)
    assert 0 == archiving.another_archiver(side_by_side=3).check_memory()
