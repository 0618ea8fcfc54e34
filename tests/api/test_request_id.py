# SPDX-License-Identifier: Apache-2.0
"""The id by which a request is found in the log."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from argyll_api.request_id import request_context
from argyll_engine import log
from argyll_engine.errors import StoreUnavailableError
from tests.api.recording_engine import RecordingEngine


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as JSON, with the ids of requests."""
    root = logging.getLogger()
    handlers, level, stream = list(root.handlers), root.level, io.StringIO()
    log.configure(log.Settings(level="info", format_name="json", context=request_context), stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_id_that_was_sent_comes_back(api) -> None:
    """The sender's id is taken over, on every answer, a 404 and a preflight among them."""
    sent = {"X-Request-ID": "req-7/ä".replace("/ä", ":8")}
    answers = [api.get("/health", headers=sent), api.get("/nope", headers=sent), api.options("/x", headers=sent)]
    assert ["req-7:8"] * 3 == [answer.headers["X-Request-ID"] for answer in answers]


@pytest.mark.parametrize("sent", [None, "", "a b", "x" * 129, 'a"b', "ä"])
def test_whoever_sends_no_sound_id_gets_a_new_one(api, sent: str | None) -> None:
    """What is missing, too long or no plain word is replaced; no two requests share an id of ours."""
    headers = {} if sent is None else {"X-Request-ID": sent}
    first, second = (api.get("/health", headers=headers).headers["X-Request-ID"] for _ in range(2))
    assert (True, True, False) == (
        bool(re.fullmatch("[0-9a-f]{32}", first)),
        bool(re.fullmatch("[0-9a-f]{32}", second)),
        first == second,
    )


def test_lines_of_a_request_carry_its_ids(api, engine: RecordingEngine, lines: io.StringIO) -> None:
    """A lost store is told in the words that operators watch for, with the request's id and those of its path."""
    engine.queries.error = StoreUnavailableError("flow", "gone")
    answer = api.get("/engine/flow/f-1", headers={"X-Request-ID": "req-7"})
    line = json.loads(lines.getvalue())
    assert (503, "warn", "redis connection lost", "req-7", "f-1") == (
        answer.status_code,
        line["level"],
        line["msg"],
        line["request_id"],
        line["flow_id"],
    )
