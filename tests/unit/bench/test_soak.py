# SPDX-License-Identifier: Apache-2.0
"""What a soak makes of logs and of what it counted."""

import json

import pytest

from bench.soak import Soak, faults_of_log, faults_of_server, report


def _line(level: str, msg: str) -> str:
    return json.dumps({"level": level, "msg": msg}) + "\n"


def test_errors_and_warnings_of_a_log() -> None:
    """Errors are kept whole, tracebacks outside of JSON too; warnings are counted by their names."""
    lines = [
        _line("info", "ready"),
        _line("warn", "work_resumed"),
        _line("warning", "work_resumed"),
        _line("error", "request_failed"),
        "argyll is ready at http://127.0.0.1:1\n",
        "Traceback (most recent call last):\n",
        "[1, 2]\n",
    ]
    errors, warnings = faults_of_log(lines)
    assert [json.loads(_line("error", "request_failed")), "Traceback (most recent call last):"] == [
        json.loads(errors[0]),
        errors[1],
    ]
    assert {"work_resumed": 2} == warnings


def test_faults_of_redis() -> None:
    """Advice at the start is passed over, and so is what says that all is well."""
    lines = [
        "7:M 1 # WARNING Memory overcommit must be enabled! Without it, a background save may fail",
        "7:M 1 * Background AOF rewrite finished successfully",
        "7:M 1 # Write error saving the append only file",
    ]
    assert lines[2:] == faults_of_server(lines)


def test_a_good_soak_has_no_faults() -> None:
    """Growth up to the limit and shrinking are fine."""
    found = Soak(growth={"api": 1.0, "redis data": -20.0}, warnings={"work_resumed": 1}, memory={"api": [(0.0, 1e6)]})
    assert [] == found.faults()
    assert "FAULT" not in report(found)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Soak(growth={"api": 1.01}), "api grows by 1.01 %"),
        (Soak(lost=2), "2 flows did not end"),
        (Soak(failed=3), "3 flows failed"),
        (Soak(refused={503: 4}), "starts were refused: {503: 4}"),
        (Soak(errors=["boom"]), "1 errors in the log, the first: boom"),
    ],
)
def test_faults(found: Soak, says: str) -> None:
    """Each is one sentence, in the report and in JSON."""
    (fault,) = found.faults()
    assert fault.startswith(says)
    assert f"FAULT: {fault}" in report(found)
    assert [fault] == json.loads(found.as_json())["faults"]
