# SPDX-License-Identifier: Apache-2.0
"""The edge over archived flows: what is served through, what is refused while the archive is away, restore, erase."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_engine.archive_changes import ArchiveAccess
from argyll_engine.wiring import assemble_engine
from tests.api.described import Description
from tests.unit.archiver.archiving import Archiving
from tests.unit.archiver.reading import PlainArchive

PATHS = ("/engine/flow/a", "/engine/flow/a/status", "/engine/flow/a/events")


@pytest.fixture
def place() -> Archiving:
    """A workshop with an archiver."""
    return Archiving()


@pytest.fixture
def api(place: Archiving) -> FlaskClient:
    """A client of a process that reads the archive."""
    return a_client(place, ArchiveAccess(archive=PlainArchive(place.sink, "p/")))


def a_client(place: Archiving, access: ArchiveAccess | None = None) -> FlaskClient:
    """A client of another process."""
    parts = place.workshop.parts_of_another_process()
    return create_app(ApiConfig(), assemble_engine(place.workshop.config, parts, access)).test_client()


@pytest.fixture
def described(api: FlaskClient) -> Description:
    """The document."""
    return Description(api.get("/openapi.json").json)


def ask(api: FlaskClient, described: Description, method: str, path: str, **body: Any) -> tuple[int, Any]:
    """Status and body of an answer, which is as the document says."""
    answer = api.open(path, method=method, **body)
    value = answer.get_json(silent=True)
    fault = described.fault(method, path, answer.status_code, answer.content_type or "", value)
    assert "" == fault
    return answer.status_code, value


def test_an_archived_flow_is_served_with_a_word_more(
    place: Archiving, api: FlaskClient, described: Description
) -> None:
    """Everything else is unchanged, to the byte."""
    place.end("a")
    before = [api.get(path).data for path in PATHS]
    place.archiver.sweep()
    for path, text in zip(PATHS, before, strict=True):
        assert text[:-1] + b',"archived":true}' == api.get(path).data
        assert 200 == ask(api, described, "GET", path)[0]


def test_lists_have_archived_flows_as_rows_like_any_other(
    place: Archiving, api: FlaskClient, described: Description
) -> None:
    """A query tells them apart by asking."""
    place.end("a", "b")
    rows = api.get("/engine/flow").json
    place.archiver.archive("a")
    assert rows == api.get("/engine/flow").json
    found = {
        wanted: [
            row["id"]
            for row in ask(api, described, "POST", "/engine/flow/query", json={"archived": wanted})[1]["flows"]
        ]
        for wanted in (None, True, False)
    }
    assert {None: ["a", "b"], True: ["a"], False: ["b"]} == found


def test_archived_in_a_query_is_a_boolean(api: FlaskClient) -> None:
    """As strict as all other members."""
    answer = api.post("/engine/flow/query", json={"archived": "yes"})
    assert (400, True) == (answer.status_code, "archived" in answer.json["error"])


def test_while_the_archive_is_away_only_its_flows_are(
    place: Archiving, api: FlaskClient, described: Description
) -> None:
    """They are answered 503, with the reason and when to come back; the status is in the index."""
    place.end("a", "b")
    place.archiver.archive("a")
    place.sink.is_away = True
    for path in ("/engine/flow/a", "/engine/flow/a/events"):
        status, body = ask(api, described, "GET", path)
        assert (503, "archive unavailable: gone fishing") == (status, body["error"])
        assert "1" == api.get(path).headers["Retry-After"]
    assert [200, 200, 200] == [
        api.get(path).status_code for path in ("/engine/flow/a/status", "/engine/flow/b", "/engine/flow")
    ]
    for path in ("/engine/flow/a/restore", "/engine/flow/a/erase"):
        assert 503 == ask(api, described, "POST", path)[0]


def test_without_an_archive_the_answer_says_what_is_missing(place: Archiving) -> None:
    """So that whoever took the setting away finds out."""
    place.end("a")
    place.archiver.sweep()
    answer = a_client(place).get("/engine/flow/a")
    expected = "archive unavailable: no archive is configured (ARCHIVE_BUCKET_URL)"
    assert (503, expected) == (answer.status_code, answer.json["error"])


def test_a_start_under_an_archived_id_is_answered_as_ever(place: Archiving, api: FlaskClient) -> None:
    """201 for the same start, 409 for another."""
    place.end("a")
    place.archiver.sweep()
    same = {"id": "a", "goals": ["s"]}
    assert [201, 409] == [
        api.post("/engine/flow", json=body).status_code for body in (same, {**same, "init": {"in": [1]}})
    ]


def test_a_webhook_for_an_archived_flow_is_answered_as_ever(place: Archiving, api: FlaskClient) -> None:
    """200 and nothing for a known work item, 400 for others."""
    place.end("a")
    place.archiver.sweep()
    (token,) = api.get("/engine/flow/a").json["executions"]["s"]["work_items"]
    late = api.post(f"/webhook/a/s/{token}", json={"out": "late"})
    assert (200, b"", 400) == (late.status_code, late.data, api.post("/webhook/a/s/other", json={}).status_code)


def test_restoring_is_answered_with_what_came_back(place: Archiving, api: FlaskClient, described: Description) -> None:
    """Children included; nothing the second time."""
    child = place.end_with_child("o")
    place.archiver.sweep()
    assert (200, {"flow_id": child, "restored": 2}) == ask(api, described, "POST", f"/engine/flow/{child}/restore")
    assert (200, {"flow_id": "o", "restored": 0}) == ask(api, described, "POST", "/engine/flow/o/restore")
    assert 404 == ask(api, described, "POST", "/engine/flow/nobody/restore")[0]


def test_erasing_is_answered_with_what_went(place: Archiving, api: FlaskClient, described: Description) -> None:
    """With a reason, an empty body, or none."""
    place.end("a", "b", "c")
    place.archiver.archive("a")
    bodies: dict[str, dict[str, Any]] = {
        "a": {"json": {"reason": "asked for"}},
        "b": {"data": b""},
        "c": {"data": b"null"},
    }
    for flow_id, body in bodies.items():
        answer = ask(api, described, "POST", f"/engine/flow/{flow_id}/erase", **body)
        assert (200, {"flow_id": flow_id, "erased": 1}) == answer
        assert [404, 404, 404] == [api.get(path.replace("/a", f"/{flow_id}")).status_code for path in PATHS]


@pytest.mark.parametrize(
    ("flow_id", "body", "status"),
    [("nobody", None, 404), ("active", None, 409), ("a:s:t", None, 400), ("active", {"reason": 1}, 400)],
)
def test_what_cannot_be_erased_is_refused(
    place: Archiving, api: FlaskClient, described: Description, flow_id: str, body: Any, status: int
) -> None:
    """Unknown flows, those that go on, children, and bodies of the wrong kind."""
    api.post("/engine/flow", json={"id": "active", "goals": ["s"]})
    assert status == ask(api, described, "POST", f"/engine/flow/{flow_id}/erase", json=body)[0]
