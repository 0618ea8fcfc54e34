# SPDX-License-Identifier: Apache-2.0
"""What a log line holds, and what it must not."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from argyll_engine import log


@pytest.fixture(autouse=True)
def _restored_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _line(stream: io.StringIO) -> dict[str, object]:
    (text,) = stream.getvalue().splitlines()
    line = json.loads(text)
    assert isinstance(line, dict)
    return line


def test_json_line_has_the_contract_keys() -> None:
    """A JSON line carries level, event, service, environment and the fields under their names."""
    stream = io.StringIO()
    log.configure("info", "json", environment="test", stream=stream)
    log.get("x").info("work_succeeded", flow_id="f-1", duration_seconds=0.5)
    line = _line(stream)
    del line["time"]
    assert line == {
        "level": "info",
        "msg": "work_succeeded",
        "logger": "x",
        "service": "argyll-engine",
        "env": "test",
        "flow_id": "f-1",
        "duration_seconds": 0.5,
    }


def test_bound_ids_are_in_every_line_of_the_context() -> None:
    """Ids bound around a piece of work appear in its lines, nested ones added, and are gone afterwards."""
    stream = io.StringIO()
    log.configure("info", "console", stream=stream)
    with log.bind(flow_id="f"), log.bind(step_id="s"):
        log.get("x").info("inside")
        logging.getLogger("third.party").warning("theirs")
    log.get("x").info("outside")
    lines = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert lines == ["info  inside flow_id=f step_id=s", "warn  theirs flow_id=f step_id=s", "info  outside"]


@pytest.mark.parametrize("format_name", ["json", "console"])
def test_passwords_in_urls_never_reach_a_line(format_name: str) -> None:
    """A password inside a URL is replaced, in the message, in a field and in a traceback."""
    stream = io.StringIO()
    log.configure("info", format_name, stream=stream)
    try:
        raise ValueError("redis://:s3cret@host:1/0")
    except ValueError:
        log.get("x").exception("lost redis://u:s3cret@host", url="redis+socket:///a?password=s3cret")
    assert ("s3cret" in stream.getvalue(), "***" in stream.getvalue()) == (False, True)


def test_lines_below_the_level_are_left_out() -> None:
    """Only what is at least as severe as the configured level is written."""
    stream = io.StringIO()
    log.configure("warn", "console", stream=stream)
    log.get("x").info("quiet")
    log.get("x").warning("loud")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["loud"]
