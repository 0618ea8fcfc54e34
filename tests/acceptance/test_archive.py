# SPDX-License-Identifier: Apache-2.0
"""Archived flows as clients of a whole Argyll see them, in a directory and in a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.archives import ArchivePlace, archive_beside, file_url, s3_url
from tests.acceptance.client import Client, fresh_id
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, flow_step, script
from tests.acceptance.test_sub_flows import children_of
from tests.acceptance.test_websocket import socket_of, subscribe

STEP = script("give", "return {given = (n or 0) + 1}", attributes(["n"], ["given"]))
OUTER = flow_step("outer", ["give"], attributes(["n"], ["given"]))
PARTS = ("", "/status", "/events")


@pytest.fixture(scope="module", params=["file", "s3"])
def shared_place(
    request: pytest.FixtureRequest, shared_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ArchivePlace]:
    """An archive of each kind in turn."""
    shared_stack.mend()
    if request.param == "file":
        with archive_beside(shared_stack, file_url(tmp_path_factory.mktemp("archive"))) as place:
            yield place
        return
    with s3_url() as url, archive_beside(shared_stack, url) as place:
        yield place


@pytest.fixture
def place(client: Client, shared_place: ArchivePlace) -> ArchivePlace:
    """The archive, with the steps of these tests registered."""
    client.register(STEP, OUTER)
    return shared_place


@pytest.fixture
def reader(place: ArchivePlace) -> Client:
    """The API that reads the archive."""
    return place.client


def an_ended(reader: Client, goal: str = "give") -> str:
    """The id of a flow that was run to its end."""
    flow_id = fresh_id("kept")
    reader.run(flow_id, [goal], {"n": 1})
    return flow_id


def bodies(reader: Client, flow_id: str) -> list[bytes]:
    """State, status and log, byte for byte."""
    answers = [reader.get(f"/engine/flow/{flow_id}{part}") for part in PARTS]
    assert [200, 200, 200] == [answer.status for answer in answers]
    return [answer.body for answer in answers]


def test_a_flow_is_the_same_before_through_and_after_the_archive(place: ArchivePlace, reader: Client) -> None:
    """To the byte, but for the word that says where it is."""
    flow_id = an_ended(reader, "outer")
    (child_id,) = children_of(reader.state(flow_id))
    family = (flow_id, child_id)
    before = [bodies(reader, each) for each in family]
    place.archive(flow_id)
    through = [[body[:-1] + b',"archived":true}' for body in found] for found in before]
    assert through == [bodies(reader, each) for each in family]
    restored = [reader.post(f"/engine/flow/{each}/restore", None) for each in (child_id, flow_id, "nobody")]
    assert ([200, 200, 404], [2, 0]) == (
        [answer.status for answer in restored],
        [answer.json["restored"] for answer in restored[:2]],
    )
    assert before == [bodies(reader, each) for each in family]


def test_an_archived_id_is_never_run_twice(place: ArchivePlace, reader: Client) -> None:
    """Alone or among many starts: the same start is accepted, another refused."""
    flow_id = an_ended(reader)
    place.archive(flow_id)
    same, other = ({"id": flow_id, "goals": ["give"], "init": {"n": [n]}} for n in (1, 2))
    assert [201, 409] == [reader.post("/engine/flow", body).status for body in (same, other)]
    results = reader.post("/engine/flows", {"flows": [same, other]}).json["flows"]
    assert [201, 409] == [result["status"] for result in results]
    assert "archived" in reader.state(flow_id)


def test_a_late_webhook_is_accepted_and_ignored(place: ArchivePlace, reader: Client) -> None:
    """As for every flow that has ended."""
    flow_id = an_ended(reader)
    (token,) = reader.state(flow_id)["executions"]["give"]["work_items"]
    place.archive(flow_id)
    before = bodies(reader, flow_id)
    late = [reader.post(f"/webhook/{flow_id}/give/{each}", {"given": 9}).status for each in (token, "other")]
    assert ([200, 400], before) == (late, bodies(reader, flow_id))


def test_a_subscription_to_an_archived_flow_has_its_state(place: ArchivePlace, reader: Client) -> None:
    """The same as GET gives, and the sequence that would come next."""
    flow_id = an_ended(reader)
    place.archive(flow_id)
    with socket_of(reader) as sock:
        (item,) = subscribe(sock, flow_id)
    assert (reader.state(flow_id), len(reader.events(flow_id))) == (item["data"], item["sequence"])


def test_pages_go_on_through_live_and_archived_flows(place: ArchivePlace, reader: Client) -> None:
    """In one order, each flow once, with filters as ever; a query may ask for one kind."""
    prefix = fresh_id("page")
    flow_ids = [f"{prefix}-{number}" for number in range(6)]
    for flow_id in flow_ids:
        reader.run(flow_id, ["give"], {"n": 1})
    for flow_id in flow_ids[::2]:
        place.archive(flow_id)

    def pages(**more: object) -> list[str]:
        found, cursor = [], ""
        while True:
            query = {"id_prefix": prefix, "limit": 2, "statuses": ["completed"], **more}
            page = reader.post("/engine/flow/query", query | ({"cursor": cursor} if cursor else {})).json
            found += [row["id"] for row in page["flows"]]
            if not page.get("has_more"):
                return found
            cursor = page["next_cursor"]

    assert (flow_ids, flow_ids[::2], flow_ids[1::2]) == (pages(), pages(archived=True), pages(archived=False))
    assert flow_ids[::-1] == pages(sort="recent_desc")
    listed = [row["id"] for row in reader.get("/engine/flow").json]
    assert set(flow_ids) <= set(listed)


def test_an_erased_flow_is_gone_and_its_id_is_free(place: ArchivePlace, reader: Client) -> None:
    """Everywhere, in every process; a flow that goes on is not erased."""
    flow_id = an_ended(reader, "outer")
    place.archive(flow_id)
    bodies(reader, flow_id)
    erased = reader.post(f"/engine/flow/{flow_id}/erase", {"reason": "test"})
    assert (200, 2) == (erased.status, erased.json["erased"])
    for each in (reader, place.without_archive):
        assert [404, 404, 404] == [each.get(f"/engine/flow/{flow_id}{part}").status for part in PARTS]
    state = reader.run(flow_id, ["give"], {"n": 7})
    assert (8, False) == (state["attributes"]["given"][0]["value"], "archived" in state)
    assert state == place.without_archive.state(flow_id)


def test_a_process_without_an_archive_says_what_is_missing(place: ArchivePlace, reader: Client) -> None:
    """For that flow only, with a status and lists as ever."""
    flow_id = an_ended(reader)
    place.archive(flow_id)
    answers = [place.without_archive.get(f"/engine/flow/{flow_id}{part}") for part in PARTS]
    assert [503, 200, 503] == [answer.status for answer in answers]
    assert "no archive is configured" in answers[0].json["error"]
    assert {"id": flow_id, "status": "completed", "archived": True} == answers[1].json


def test_a_damaged_object_is_no_flow(place: ArchivePlace, reader: Client) -> None:
    """Half a flow is served to nobody, and is not restored."""
    url = place.variables["ARCHIVE_BUCKET_URL"]
    if not url.startswith("file:"):
        pytest.skip("a bucket shows parts of objects to nobody")
    flow_id = an_ended(reader)
    place.archive(flow_id)
    (path,) = Path(url.removeprefix("file://")).rglob(f"{flow_id}~*.json.gz")
    path.write_bytes(path.read_bytes()[:-20])
    refused = (reader.get(f"/engine/flow/{flow_id}/events"), reader.post(f"/engine/flow/{flow_id}/restore", None))
    assert [500, 500] == [answer.status for answer in refused]
    assert reader.get(f"/engine/flow/{flow_id}/status").json["archived"]
