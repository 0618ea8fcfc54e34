# SPDX-License-Identifier: Apache-2.0
"""`argyll config`: what people see of their environment."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from argyll_api.cli import main


def _argyll(*words: str, **environment: str) -> Result:
    """The result of a command in this environment alone."""
    runner = CliRunner(env={name: environment.get(name, "") for name in ("FLOW_REDIS_PASSWORD", *environment)})
    return runner.invoke(main, ["config", *words])


def test_each_value_is_shown_with_its_origin(tmp_path: Path) -> None:
    """Defaults, variables, older spellings and files are told apart; passwords are hidden wherever they stand."""
    secret = tmp_path / "secret"
    secret.write_text("hunter22\n")
    environment = {
        "FLOW_REDIS_ADDR": "redis://u:hunter33@h:1",
        "PARTITION_REDIS_PASSWORD_FILE": str(secret),
        "ENGINE_PORT": "9000",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hunter44",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "api-key=hunter55",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://u:hunter66@h",
    }
    result = _argyll("show", "--json", **environment)
    shown = {row["name"]: (row["value"], row["origin"]) for row in json.loads(result.stdout)}
    assert {
        "FLOW_REDIS_ADDR": ("redis://u:***@h:1", "environment"),
        "FLOW_REDIS_PASSWORD": ("***", f"file PARTITION_REDIS_PASSWORD {secret}"),
        "API_PORT": ("9000", "environment ENGINE_PORT"),
        "LOG_LEVEL": ("info", "default"),
        "ARCHIVE_MAX_AGE": ("24h", "default"),
        "OTEL_EXPORTER_OTLP_HEADERS": ("***", "environment"),
    }.items() <= shown.items()
    assert "hunter" not in result.output + _argyll("show", "--origin", **environment).output


def test_the_plain_form_can_be_read_by_a_shell() -> None:
    """One line a variable; with --set only what was set."""
    lines = _argyll("show", "--set", API_PORT="9000", ENV="test").stdout.splitlines()
    assert ["API_PORT=9000", "ENV=test"] == [line for line in lines if line.startswith(("API_", "ENV", "LOG_L"))]


@pytest.mark.parametrize(
    ("environment", "code", "expected"),
    [
        ({"API_PORT": "9000"}, 0, ["the configuration is sound"]),
        (
            {"API_PORT": "x", "ARCHIVE_BUCKET_URL": "ftp://x", "STEP_TIMEOUT": "0", "LOG_LEVEL_FILE": "/no/such"},
            2,
            [
                "argyll: LOG_LEVEL_FILE='/no/such': cannot be read",
                "argyll: API_PORT='x': must be",
                "argyll: STEP_TIMEOUT='0': must be",
                "argyll: ARCHIVE_BUCKET_URL='ftp://x': scheme",
            ],
        ),
        (
            {"FLOW_REDIS_ADRESS": "x", "FLOW_REDIS_": "y", "DEV_MODE": "z", "WORKER_LEAS": "1s"},
            0,
            [
                "argyll: WORKER_LEAS is read by nobody; did you mean WORKER_LEASE?",
                "argyll: FLOW_REDIS_ADRESS is read by nobody; did you mean FLOW_REDIS_ADDR?",
                "the configuration is sound",
            ],
        ),
    ],
)
def test_every_fault_is_told_at_once(environment: dict[str, str], code: int, expected: list[str]) -> None:
    """The check prints all that is wrong, hints at names that nobody reads, and its exit code says whether it is."""
    result = _argyll("check", **environment)
    told = result.output.splitlines()
    assert [code, []] == [result.exit_code, [line for line in expected if not any(t.startswith(line) for t in told)]]
