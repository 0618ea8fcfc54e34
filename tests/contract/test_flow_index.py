# SPDX-License-Identifier: Apache-2.0
"""What the flow index promises, memory and Redis alike."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from msgspec.structs import replace

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID
from argyll_engine.model.listing import Cursor, FlowItem, FlowPage, FlowQuery, FlowStanding, Sort
from tests.contract.commits import a_commit, an_index
from tests.contract.conftest import Backend

ACTIVE, COMPLETED, FAILED = FlowStatus.ACTIVE, FlowStatus.COMPLETED, FlowStatus.FAILED
UNFILTERED = FlowQuery()
EVERY_FLOW_LABELLED = FlowQuery(labels={"all": "yes"})
PREFIXED = FlowQuery(id_prefix="f")


def _start(backend: Backend, flow_id: str, at_ms: int = 1_000, **labels: str) -> None:
    index = an_index(flow_id, "active", at_ms, **labels)
    backend.store.commit([a_commit(flow_id, index=index)])


def _end(backend: Backend, flow_id: str, at_ms: int, status: str = "completed") -> None:
    backend.store.commit([a_commit(flow_id, 1, index=an_index(flow_id, status, at_ms))])


def _ids(page: FlowPage) -> list[str]:
    return [item.id for item in page.items]


def _found(backend: Backend, query: FlowQuery) -> list[str]:
    return _ids(backend.index.query(query))


def _pages(backend: Backend, query: FlowQuery) -> Iterator[FlowPage]:
    """The pages of a query, each asked for when the one before was seen."""
    page = backend.index.query(query)
    yield page
    while page.next_cursor is not None:
        page = backend.index.query(replace(query, cursor=page.next_cursor))
        yield page


def _with_ties(backend: Backend) -> None:
    """Flows of all statuses, most of which share a timestamp with others."""
    for number, at_ms in enumerate((20, 10, 20, 10, 20, 30, 10, 20)):
        _start(backend, f"f{number}", at_ms, all="yes")
    for number, at_ms, status in ((0, 20, "completed"), (1, 20, "failed"), (2, 20, "completed"), (3, 40, "failed")):
        _end(backend, f"f{number}", at_ms, status)


# Active are f4 20, f5 30, f6 10, f7 20; the others f0 20, f1 20, f2 20, f3 40.
ORDERS = {
    Sort.RECENT_ASC: ["f6", "f4", "f7", "f5", "f0", "f1", "f2", "f3"],
    Sort.RECENT_DESC: ["f5", "f4", "f7", "f6", "f3", "f0", "f1", "f2"],
}


def test_status_is_that_of_the_last_commit(backend: Backend) -> None:
    """A flow is unknown, active, then what it was deactivated as; commits without a change keep it."""
    assert None is backend.index.standing(FlowID("f"))
    _start(backend, "f")
    assert FlowStanding(status=ACTIVE) == backend.index.standing(FlowID("f"))
    _end(backend, "f", 2_000, "failed")
    backend.store.commit([a_commit("f", 2)])
    assert FlowStanding(status=FAILED) == backend.index.standing(FlowID("f"))


def test_row_says_since_when_it_has_its_status(backend: Backend) -> None:
    """The timestamp is when the status was entered, in milliseconds; entering it again changes nothing."""
    _start(backend, "f", 1_700_000_000_123)
    backend.store.commit([a_commit("f", 1, index=an_index("f", "active", 1_800_000_000_000))])
    at = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) + timedelta(milliseconds=123)
    assert backend.index.all_flows() == (FlowItem(id=FlowID("f"), status=ACTIVE, at=at),)


def test_children_have_a_status_but_are_not_listed(backend: Backend) -> None:
    """A flow that a step started is found by its id only, whatever the query."""
    _start(backend, "f", all="yes")
    _start(backend, "f:step:token", all="yes")
    assert FlowStanding(status=ACTIVE) == backend.index.standing(FlowID("f:step:token"))
    for query in (UNFILTERED, EVERY_FLOW_LABELLED, PREFIXED):
        page = backend.index.query(query)
        assert (_ids(page), page.total) == (["f"], 1)
    _end(backend, "f:step:token", 2_000)
    assert [item.id for item in backend.index.all_flows()] == ["f"]


def test_empty_index_gives_an_empty_page(backend: Backend) -> None:
    """Without flows there are no rows, no total and no next page."""
    expected = FlowPage(items=(), total=0)
    for query in (UNFILTERED, EVERY_FLOW_LABELLED, PREFIXED, replace(UNFILTERED, limit=3)):
        assert expected == backend.index.query(query)


@pytest.mark.parametrize("query", [UNFILTERED, EVERY_FLOW_LABELLED, PREFIXED])
@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 7, 8, 9])
def test_pages_follow_the_order_through_ties(backend: Backend, query: FlowQuery, sort: Sort, limit: int) -> None:
    """Pages of any size, joined, are the whole list in order, each with the total of all."""
    _with_ties(backend)
    pages = list(_pages(backend, replace(query, sort=sort, limit=limit)))
    assert ORDERS[sort] == [flow_id for page in pages for flow_id in _ids(page)]
    assert {page.total for page in pages} == {8}
    assert all(len(page.items) == limit for page in pages[:-1])


def test_all_flows_are_active_first_then_newest_first(backend: Backend) -> None:
    """The plain list has no pages."""
    _with_ties(backend)
    assert ORDERS[Sort.RECENT_DESC] == [item.id for item in backend.index.all_flows()]


def test_statuses_filter(backend: Backend) -> None:
    """Only flows of the statuses asked for are listed and counted, however often one is named."""
    _with_ties(backend)
    for base in (UNFILTERED, EVERY_FLOW_LABELLED):
        page = backend.index.query(replace(base, statuses=(FAILED, FAILED)))
        assert (_ids(page), page.total) == (["f1", "f3"], 2)
        mixed = replace(base, statuses=(COMPLETED, ACTIVE))
        assert _found(backend, mixed) == ["f6", "f4", "f7", "f5", "f0", "f2"]


def test_labels_filter_by_all_of_them(backend: Backend) -> None:
    """A flow is found by one of its labels or by several, never by a wrong value or a label it lacks."""
    _start(backend, "a", team="red", size="big")
    _start(backend, "b", team="red", size="small")
    _start(backend, "c", team="blue", odd="x:y%z", empty="")
    assert _found(backend, FlowQuery(labels={"team": "red"})) == ["a", "b"]
    assert _found(backend, FlowQuery(labels={"team": "red", "size": "small"})) == ["b"]
    assert _found(backend, FlowQuery(labels={"odd": "x:y%z"})) == ["c"]
    assert _found(backend, FlowQuery(labels={"odd": "x", "team": "blue"})) == []
    assert _found(backend, FlowQuery(labels={"unknown": "red"})) == []
    assert _found(backend, FlowQuery(labels={"empty": ""})) == []


def test_labels_stay_when_a_flow_ends(backend: Backend) -> None:
    """A flow keeps its labels through commits that do not name them."""
    _start(backend, "a", team="red")
    _end(backend, "a", 2_000)
    expected = FlowQuery(labels={"team": "red"}, statuses=(COMPLETED,))
    assert _found(backend, expected) == ["a"]


def test_prefix_is_literal_and_case_sensitive(backend: Backend) -> None:
    """A prefix matches the beginning of an id, character by character."""
    for flow_id in ("order-1", "order-2", "o.der", "porder"):
        _start(backend, flow_id, team="red")
    for labels in ({}, {"team": "red"}):
        base = FlowQuery(labels=labels)
        assert _found(backend, replace(base, id_prefix="order")) == ["order-1", "order-2"]
        assert _found(backend, replace(base, id_prefix="order-2")) == ["order-2"]
        assert _found(backend, replace(base, id_prefix="o.")) == ["o.der"]
        assert _found(backend, replace(base, id_prefix="Order")) == []
        assert _found(backend, replace(base, id_prefix="?rder")) == []


def test_filters_are_joined(backend: Backend) -> None:
    """Prefix, labels and statuses must all hold, and the total counts what passes all."""
    _with_ties(backend)
    _start(backend, "g", all="yes")
    query = FlowQuery(id_prefix="f", labels={"all": "yes"}, statuses=(ACTIVE,), limit=2)
    page = backend.index.query(query)
    assert (_ids(page), page.total) == (["f6", "f4"], 4)


@pytest.mark.parametrize("sort", list(Sort))
def test_page_goes_on_after_a_row_that_moved(backend: Backend, sort: Sort) -> None:
    """When the last row of a page changes its status, the next page starts where that row had been."""
    _with_ties(backend)
    query = FlowQuery(sort=sort, limit=2)
    pages = _pages(backend, query)
    shown = _ids(next(pages))
    _end(backend, shown[-1], 99)
    rest = [flow_id for page in pages for flow_id in _ids(page)]
    untouched = [flow_id for flow_id in ORDERS[sort] if flow_id not in shown]
    assert [flow_id for flow_id in rest if flow_id not in shown] == untouched


@pytest.mark.parametrize("sort", list(Sort))
def test_cursor_of_a_row_that_never_was_is_a_place(backend: Backend, sort: Sort) -> None:
    """A cursor stands for a place in the order, among ties, between timestamps and beyond either end."""
    _with_ties(backend)
    base = FlowQuery(sort=sort)
    for group, recent_ms, flow_id in ((0, 20, "f5"), (0, 15, "x"), (1, 20, "f1x"), (1, 20, ""), (0, 99, "z")):
        cursor = Cursor(id=FlowID(flow_id), group=group, recent_ms=recent_ms)
        expected = _found(backend, replace(EVERY_FLOW_LABELLED, sort=sort, cursor=cursor))
        for limit in (0, 1, 2, 9):
            query = replace(base, cursor=cursor, limit=limit)
            assert _found(backend, query) == (expected[:limit] if limit else expected)


def test_rows_that_change_between_pages_are_neither_lost_nor_doubled(backend: Backend) -> None:
    """Flows that end while a client pages are seen at most twice, once in each group; others exactly once."""
    for number in range(40):
        _start(backend, f"f{number:02}", 10 + number % 3)
    dice = random.Random(7)
    seen: list[tuple[str, FlowStatus]] = []
    ended: set[str] = set()
    for page in _pages(backend, FlowQuery(limit=3)):
        seen += [(item.id, item.status) for item in page.items]
        assert page.total == 40
        flow_id = f"f{dice.randrange(40):02}"
        if flow_id not in ended:
            ended.add(flow_id)
            _end(backend, flow_id, 50)
    assert len(seen) == len(set(seen))
    assert {flow_id for flow_id, _ in seen} == {f"f{number:02}" for number in range(40)}


@pytest.mark.parametrize("query", [UNFILTERED, EVERY_FLOW_LABELLED, PREFIXED])
def test_flow_that_ends_during_a_read_is_seen_once(backend: Backend, query: FlowQuery) -> None:
    """Whatever ends while a list is read, every flow is in it exactly once."""
    names = [f"f{number:03}" for number in range(300)]
    for name in names:
        _start(backend, name, all="yes")

    def end_all() -> None:
        for name in names:
            _end(backend, name, 2_000)

    thread = Thread(target=end_all)
    thread.start()
    while thread.is_alive():
        assert sorted(_found(backend, query)) == names
    thread.join()
    assert sorted(_found(backend, query)) == names


def test_a_hundred_ties_are_paged_in_order(backend: Backend) -> None:
    """Flows that started in the same millisecond are paged by id in both directions."""
    names = [f"t{number:03}" for number in range(100)]
    order = random.Random(3).sample(names, len(names))
    backend.store.commit([a_commit(name, index=an_index(name, "active", 5)) for name in order])
    for sort in Sort:
        pages = _pages(backend, FlowQuery(sort=sort, limit=7))
        assert names == [flow_id for page in pages for flow_id in _ids(page)]
