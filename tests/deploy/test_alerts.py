# SPDX-License-Identifier: Apache-2.0
"""The alert rules: they parse, lead to a runbook, fire when they should, and stay silent when they should."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.expressions import expressions, rules, selected
from tests.deploy.tools import DEPLOY, ROOT, printed, tool

OF_OLD = {
    "HighErrorRate": "critical",
    "SlowWorkflows": "warning",
    "QueueBacklog": "warning",
    "ComponentTimeout": "warning",
    "HighMemoryUsage": "critical",
    "HighHTTPErrorRate": "critical",
    "HighHTTPLatency": "warning",
}
"""Names and severities of earlier versions, which dashboards and pagers elsewhere rely on."""


# ---- form ------------------------------------------------------------------------------------


def test_every_expression_parses_and_selects_something() -> None:
    """Of the alerts and of the dashboards; one that is no PromQL raises, with its text."""
    assert [] == [place for place, expression in expressions() if not selected(expression)]


def test_the_seven_alerts_of_earlier_versions_are_there() -> None:
    """With their severities."""
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in rules()}
    assert OF_OLD == {name: severities.get(name) for name in OF_OLD}


def test_alerts_of_ours_carry_our_name() -> None:
    """So that they do not collide with others in a Prometheus that many share."""
    assert [] == [rule["alert"] for rule in rules() if rule["alert"] not in OF_OLD and rule["alert"][:6] != "Argyll"]


def test_every_alert_leads_to_its_runbook() -> None:
    """To a section with its name, which says what it means, where to look and what to do."""
    page = (ROOT / "docs/RUNBOOKS.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert [rule["alert"] for rule in rules()] == list(sections)
    for rule in rules():
        assert f"docs/RUNBOOKS.md#{rule['alert'].lower()}" == rule["annotations"]["runbook_url"]
        assert ["Meaning", "Look here", "Do this"] == re.findall(r"^\*\*([\w ]+)\.\*\*", sections[rule["alert"]], re.M)


def test_promtool_takes_rules_and_configuration() -> None:
    """As Prometheus will read them."""
    assert "SUCCESS" in printed(tool("promtool"), "check", "config", DEPLOY / "prometheus/prometheus.yml")


# ---- what fires ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series as promtool writes them (`start+step x times`, one value a minute), and which alerts they set off."""

    says: str
    series: dict[str, str]
    fires: frozenset[str]
    after: str


WELL = {
    'up{job="argyll-api", instance="a"}': "1x60",
    'up{job="argyll-worker", instance="w"}': "1x60",
    'workflow_executions_total{workflow_type="flow", action="run", status="success"}': "0+600x60",
    'workflow_executions_total{workflow_type="flow", action="run", status="error"}': "0+6x60",
    'workflow_duration_seconds_bucket{workflow_type="flow", action="run", le="1"}': "0+600x60",
    'workflow_duration_seconds_bucket{workflow_type="flow", action="run", le="10"}': "0+600x60",
    'workflow_duration_seconds_bucket{workflow_type="flow", action="run", le="+Inf"}': "0+600x60",
    'active_workflows{workflow_type="flow", instance="a"}': "90x60",
    'active_workflows{workflow_type="flow", instance="b"}': "90x60",
    'module_operations_total{module="sync", operation="invoke", status="success"}': "0+600x60",
    'module_operations_total{module="sync", operation="invoke", status="timeout"}': "0+1x60",
    'process_resident_memory_bytes{job="argyll-worker", instance="w", process="steps1"}': "300x60",
    'process_resident_memory_bytes{job="argyll-worker", instance="w", process="work1"}': "300x60",
    'machine_memory_bytes{job="argyll-worker", instance="w"}': "1000x60",
    'http_requests_total{method="POST", path="/engine/flow", status_code="201"}': "0+600x60",
    'http_requests_total{method="POST", path="/engine/flow", status_code="503"}': "0+6x60",
    'http_requests_total{method="GET", path="/readyz", status_code="503"}': "0+600x60",
    'http_request_duration_seconds_bucket{method="POST", path="/engine/flow", le="0.1"}': "0+600x60",
    'http_request_duration_seconds_bucket{method="POST", path="/engine/flow", le="5"}': "0+600x60",
    'http_request_duration_seconds_bucket{method="POST", path="/engine/flow", le="+Inf"}': "0+600x60",
    'argyll_workers_alive{instance="a"}': "3x60",
    'argyll_child_restarts_total{job="argyll-worker", instance="w", process="work1", cause="died"}': "1x60",
    "argyll_recovery_sweeps_total": "0+6x60",
    "argyll_recovery_sweeps_with_work_total": "0 1x59",
    'argyll_queue_oldest_seconds{queue="work", instance="a"}': "20x60",
    'argyll_queue_dead_letters{queue="work", instance="a"}': "0x60",
    'argyll_redis_up{store="flow", instance="a"}': "1x60",
    'argyll_redis_memory_used_bytes{store="flow", instance="a"}': "800x60",
    'argyll_redis_memory_limit_bytes{store="flow", instance="a"}': "1000x60",
    'argyll_redis_persistence_ok{store="flow", instance="a"}': "1x60",
    'argyll_archive_failures_total{cause="target"}': "0x60",
    "argyll_archive_oldest_seconds": "3600x60",
}
"""A deployment under load that is well."""


def _case(says: str, changes: dict[str, str], *fires: str, after: str = "20m", without: str = "^$") -> Case:
    """All is well, but for the series that these patterns match, and without those that `without` matches."""
    series = {name: values for name, values in WELL.items() if not re.search(without, name)}
    for pattern, values in changes.items():
        matching = [name for name in series if re.search(pattern, name)]
        assert matching, pattern
        series |= dict.fromkeys(matching, values)
    return Case(says=says, series=series, fires=frozenset(fires), after=after)


CASES = (
    _case("all is well", {}),
    _case("no maxmemory", {"redis_memory_limit": "0x60"}),
    _case("one flow in ten fails", {'executions_total.*"error"': "0+66x60"}, "HighErrorRate"),
    _case("one flow in ten fails, for four minutes", {'executions_total.*"error"': "0+66x60"}, after="4m"),
    _case("flows take up to ten seconds", {'workflow_duration.*"1"': "0+500x60"}, "SlowWorkflows"),
    _case("many flows are active", {"active_workflows": "120x60"}, "QueueBacklog"),
    _case("calls time out", {'module.*"timeout"': "0+12x60"}, "ComponentTimeout"),
    _case("two processes fill their machine", {"resident_memory": "450x60"}, "HighMemoryUsage"),
    _case("requests get 503", {'"/engine/flow", status_code="503"': "0+60x60"}, "HighHTTPErrorRate"),
    _case("requests are slow", {'http_request_duration.*"0.1"': "0+500x60"}, "HighHTTPLatency"),
    _case("the only API is gone", {'up.job="argyll-api"': "1x5 0x55"}, "ArgyllApiDown"),
    _case("no API was ever there", {}, "ArgyllApiDown", without='up.job="argyll-api"'),
    _case("a worker's target is gone", {'up.job="argyll-worker"': "1x5 0x55"}, "ArgyllTargetDown"),
    _case(
        "all workers are gone",
        {"workers_alive": "3x5 0x55", "queue_oldest": "20x5 60+60x55", "sweeps_total": "0+6x5 30x55"},
        "ArgyllNoWorker",
    ),
    _case("a process dies every minute", {"child_restarts": "0+1x60"}, "ArgyllProcessesRestart"),
    _case("beat is gone", {"recovery_sweeps_total": "0+6x5 30x55"}, "ArgyllNobodySweeps"),
    _case("every sweep finds work", {"sweeps_with_work": "0+1x60"}, "ArgyllRecoveryFindsWork"),
    _case("messages wait for minutes", {"queue_oldest": "20x5 60+60x55"}, "ArgyllBacklogOld"),
    _case("a message was given up", {"dead_letters": "0x5 1x55"}, "ArgyllDeadLetters"),
    _case("Redis is gone", {"redis_up": "1x5 0x55", "persistence": "1x5 0x55"}, "ArgyllRedisDown"),
    _case("Redis is nearly full", {"memory_used": "950x60"}, "ArgyllRedisMemory"),
    _case("Redis does not write to its disk", {"persistence": "1x5 0x55"}, "ArgyllRedisUnsafe"),
    _case("the archive takes nothing", {"archive_failures": "0x5 1+1x55"}, "ArgyllArchiveFailing"),
    _case("the archive is far behind", {"archive_oldest": "30000x60"}, "ArgyllArchiveBehind"),
)


def test_every_alert_fires_in_a_case() -> None:
    """An alert that nothing sets off is none."""
    assert {rule["alert"] for rule in rules()} == {name for case in CASES for name in case.fires}


def test_exactly_the_right_alerts_fire(tmp_path: Path) -> None:
    """Prometheus' own evaluation of the rules, on the series of all cases; what it prints names those that fire."""
    page = tmp_path / "cases.yml"
    content = {
        "rule_files": [str(DEPLOY / "prometheus/alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [_promtool_test(case) for case in CASES],
    }
    page.write_text(yaml.safe_dump(content), encoding="utf-8")
    printed(tool("promtool"), "test", "rules", page)


def _promtool_test(case: Case) -> dict[str, Any]:
    # The name of the case changes nothing, and is printed with what is wrong.
    question = f'group by (alertname) (ALERTS{{alertstate="firing", alertname!="{case.says}"}})'
    firing = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(case.fires)]
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [{"expr": question, "eval_time": case.after, "exp_samples": firing}],
    }
