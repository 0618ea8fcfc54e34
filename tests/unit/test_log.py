# SPDX-License-Identifier: Apache-2.0
"""What a log line holds, and what it must not."""

import importlib.metadata
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping

import pytest

from argyll_engine import log


@pytest.fixture(autouse=True)
def _restored_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks


def _line(stream: io.StringIO) -> dict[str, object]:
    (text,) = stream.getvalue().splitlines()
    line = json.loads(text)
    assert isinstance(line, dict)
    return line


def test_json_line_has_the_contract_keys() -> None:
    """A JSON line carries level, event, service, environment, version and the fields under their names."""
    stream = io.StringIO()
    log.configure(log.Settings(level="info", format_name="json", environment="test"), stream)
    log.get("x").info("work_succeeded", flow_id="f-1", duration_seconds=0.5)
    line = _line(stream)
    del line["time"]
    assert line.pop("version") == importlib.metadata.version("argyll")
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
    log.configure(log.Settings(level="info", format_name="console"), stream)
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
    log.configure(log.Settings(level="info", format_name=format_name), stream)
    try:
        raise ValueError("redis://:s3cret@host:1/0")
    except ValueError:
        log.get("x").exception("lost redis://u:s3cret@host", url="redis+socket:///a?password=s3cret")
    assert ("s3cret" in stream.getvalue(), "***" in stream.getvalue()) == (False, True)


def test_lines_below_the_level_are_left_out() -> None:
    """Only what is at least as severe as the configured level is written."""
    stream = io.StringIO()
    log.configure(log.Settings(level="warn", format_name="console"), stream)
    log.get("x").info("quiet")
    log.get("x").warning("loud")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["loud"]


def test_a_line_has_the_ids_of_its_context_and_its_own_fields_win() -> None:
    """What the process knows of the request or task stands in every line, also of libraries, below what it says."""
    stream = io.StringIO()

    def context(record: logging.LogRecord) -> Mapping[str, object]:
        return {"task_id": f"t-{record.name}", "flow_id": "of-the-task"}

    log.configure(log.Settings(level="info", format_name="console", context=context), stream)
    log.get("x").info("ours", flow_id="f")
    logging.getLogger("y").info("theirs")
    lines = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert lines == ["info  ours task_id=t-x flow_id=f", "info  theirs task_id=t-y flow_id=of-the-task"]


@pytest.mark.parametrize("format_name", ["json", "console"])
def test_no_line_has_secrets_of_the_configuration_or_values_of_redacted_attributes(format_name: str) -> None:
    """Message, fields of any depth and traceback are without what must not be written."""
    stream = io.StringIO()
    settings = log.Settings(level="info", format_name=format_name, secrets=("s3cret",), redacted=("iban",))
    log.configure(settings, stream)
    try:
        raise ValueError('{"iban": "CH93"}')
    except ValueError as exc:
        log.get("x").exception("iban=CH93 s3cret", error=exc, iban="CH93", outputs={"a": [{"IBAN": "CH93"}, "s3cret"]})
    written = stream.getvalue()
    assert ("CH93" in written, "s3cret" in written, written.count("***")) == (False, False, 8)


def test_crashes_and_warnings_are_lines_too() -> None:
    """A warning and an exception that nobody catches in a thread are written in the form of all lines."""
    stream = io.StringIO()
    log.configure(log.Settings(level="info", format_name="json"), stream)
    log.catch_crashes()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("mind the gap", stacklevel=1)
    thread = threading.Thread(target=lambda: [][0])
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("no"), None)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["msg"].rpartition(" ")[2]) for line in lines[1:]] == [
        ("critical", "thread_crashed"),
        ("critical", "process_crashed"),
    ]
    assert "mind the gap" in lines[0]["msg"]
