# SPDX-License-Identifier: Apache-2.0
"""Lists and queries of flows, page by page. Source: the contract, execution §9.6 and http §1.7."""

from typing import Any

import pytest

from tests.acceptance.client import Client, fresh_id
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, script, sync

QUICK = script("quick", "return {done = true}", attributes(gives=["done"]))


def query(client: Client, **body: Any) -> Any:
    """The answer to a query."""
    answer = client.post("/engine/flow/query", body)
    assert 200 == answer.status, answer.body
    return answer.json


def ids(page: Any) -> list[str]:
    """The flows of a page."""
    return [item["id"] for item in page["flows"]]


@pytest.fixture
def prefix(client: Client, services: StepServices) -> str:
    """What the ids of six flows begin with: three that have completed, one that failed, two that run."""
    stem = fresh_id("list")
    services["later"].answers(Reply(status=202))
    services["refusing"].answers(Reply(status=400))
    client.register(
        QUICK,
        sync("refusing", services["refusing"].url, attributes(gives=["r"])),
        asynchronous("later", services["later"].url, attributes(gives=["l"])),
    )
    for name, goal in zip("bcadfe", ["quick"] * 3 + ["refusing"] + ["later"] * 2, strict=True):
        labels = {"shop": "north" if name in "ab" else "south", "team": "x"}
        flow_id = client.start_with(f"{stem}-{name}", [goal], {}, labels=labels)
        if goal != "later":
            client.await_end(flow_id)
    return stem


def test_active_flows_come_first(client: Client, prefix: str) -> None:
    """Then by the time at which the status was reached; the oldest first unless it is said otherwise."""
    oldest, newest = query(client, id_prefix=prefix), query(client, id_prefix=prefix, sort="recent_desc")
    named = ids(oldest)
    assert [f"{prefix}-{name}" for name in "febcad"] == named
    assert [f"{prefix}-{name}" for name in "efdacb"] == ids(newest)
    assert (6, 6, None, None) == (oldest["count"], oldest["total"], oldest.get("has_more"), oldest.get("next_cursor"))
    listed = [item["id"] for item in client.get("/engine/flow").json if item["id"].startswith(prefix)]
    assert ids(newest) == listed


def test_items_say_since_when(client: Client, prefix: str) -> None:
    """A running flow since its start, an ended one since it was deactivated."""
    items = {item["id"]: item for item in query(client, id_prefix=prefix)["flows"]}
    for name, event_type, status in (("f", "flow_started", "active"), ("a", "flow_deactivated", "completed")):
        item = items[f"{prefix}-{name}"]
        (event,) = client.of_type(item["id"], event_type)
        assert (status, event["timestamp"][:23]) == (item["status"], item["timestamp"][:23].rstrip("Z"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"statuses": ["active"]}, "fe"),
        ({"statuses": ["completed", "failed", "failed"]}, "bcad"),
        ({"labels": {"shop": "north"}}, "ba"),
        ({"labels": {"shop": "south", "team": "x"}, "statuses": ["failed", "active"]}, "fed"),
        ({"labels": {"shop": "nort"}}, ""),
        ({"statuses": []}, "febcad"),
    ],
)
def test_filters(client: Client, prefix: str, body: Any, expected: str) -> None:
    """Statuses, labels and prefix, all at once."""
    page = query(client, id_prefix=prefix, **body)
    assert ([f"{prefix}-{name}" for name in expected], len(expected)) == (ids(page), page.get("total", 0))


@pytest.mark.parametrize("sort", ["recent_asc", "recent_desc"])
@pytest.mark.parametrize("limit", [1, 2, 4, 6])
def test_pages(client: Client, prefix: str, sort: str, limit: int) -> None:
    """One after the other they are the whole, whatever their size; the total stays."""
    whole = ids(query(client, id_prefix=prefix, sort=sort))
    found, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = query(client, id_prefix=prefix, sort=sort, limit=limit, **more)
        assert (6, len(page["flows"])) == (page["total"], page["count"])
        found += ids(page)
        cursor = page.get("next_cursor")
        assert bool(cursor) == page.get("has_more", False)
        if not cursor:
            break
    assert whole == found


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"id_prefix": "a:b", "limit": -1}, "Invalid ID prefix"),
        ({"limit": 1001, "sort": "up"}, "Limit must be between 0 and 1000"),
        ({"limit": -1}, "Limit must be between 0 and 1000"),
        ({"sort": "up", "labels": {"": "x"}}, "Invalid sort"),
        ({"labels": {"a": ""}, "statuses": ["gone"]}, "Invalid labels"),
        ({"statuses": ["pending"], "cursor": "?"}, "Invalid statuses"),
        ({"cursor": "?"}, "invalid flow cursor"),
    ],
)
def test_faulty_queries(client: Client, body: Any, text: str) -> None:
    """The first fault in the order of the contract is told."""
    answer = client.post("/engine/flow/query", body)
    assert (400, True) == (answer.status, text in answer.json["error"])


def test_nothing_found(client: Client) -> None:
    """An empty list, without a total."""
    page = query(client, id_prefix=fresh_id("nobody"))
    assert ([], 0, False) == (page["flows"], page["count"], "total" in page)


def test_query_is_no_flow(client: Client) -> None:
    """GET looks for a flow of that name."""
    assert (404, "flow not found: query") == (
        (answer := client.get("/engine/flow/query")).status,
        answer.json["error"],
    )


@pytest.mark.parametrize("suffix", ["", "/status", "/events"])
def test_unknown_flows(client: Client, suffix: str) -> None:
    """Are 404 by their exact id."""
    client.register(QUICK)
    flow_id = client.start(fresh_id("known"), ["quick"])
    client.await_end(flow_id)
    assert (200, 404) == (
        client.get(f"/engine/flow/{flow_id}{suffix}").status,
        client.get(f"/engine/flow/{flow_id.upper()}{suffix}").status,
    )
