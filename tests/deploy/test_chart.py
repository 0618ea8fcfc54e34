# SPDX-License-Identifier: Apache-2.0
"""The Helm chart, rendered by Helm itself and held against the schemas of Kubernetes. Nothing runs here."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from argyll_engine.config import EngineConfig
from tests.deploy.tools import DEPLOY, ROOT, printed, tool

pytestmark = pytest.mark.slow

CHART = DEPLOY / "helm/argyll"
HERE = Path(__file__).parent
KUBERNETES = ("1.29", "1.34")
"""The oldest and the newest that are tried."""
OPERATORS_OWN = "monitoring.coreos.com/"
"""Kinds of an operator, which Kubernetes has no schema for."""
WHOLE = HERE / "everything-values.yaml"
OF_OLD = HERE / "production-values.yaml"
VALUES = {"defaults": (), "production": (OF_OLD,), "everything": (WHOLE,)}

Resource = dict[str, Any]


def _rendered(*files: Path, version: str = KUBERNETES[-1], **settings: str) -> list[Resource]:
    values = [word for file in files for word in ("-f", str(file))]
    values += [word for name, value in settings.items() for word in ("--set", f"{name.replace('__', '.')}={value}")]
    words = ("template", "shop", str(CHART), "--namespace", "orders", "--kube-version", version, *values)
    return [resource for resource in yaml.safe_load_all(printed(tool("helm"), *words)) if resource]


def _of_kind(resources: list[Resource], kind: str) -> dict[str, Resource]:
    return {resource["metadata"]["name"]: resource for resource in resources if resource["kind"] == kind}


def _pods(resources: list[Resource]) -> dict[str, Resource]:
    """The templates of all pods by component."""
    templates = [resource["spec"]["template"] for resource in _of_kind(resources, "Deployment").values()]
    templates += [
        resource["spec"]["jobTemplate"]["spec"]["template"] for resource in _of_kind(resources, "CronJob").values()
    ]
    return {template["metadata"]["labels"]["app.kubernetes.io/component"]: template for template in templates}


def _variables(resources: list[Resource]) -> dict[str, str]:
    variables: dict[str, str] = _of_kind(resources, "ConfigMap")["shop-argyll"]["data"]
    return variables


# ---- form ------------------------------------------------------------------------------------


def test_helm_finds_no_fault() -> None:
    """Its own lint, with every part turned on."""
    assert "0 chart(s) failed" in printed(tool("helm"), "lint", CHART, "-f", WHOLE)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", VALUES)
def test_kubernetes_takes_what_is_rendered(name: str, version: str) -> None:
    """Every resource is valid, without a member that its kind does not have."""
    resources = _rendered(*VALUES[name], version=version)
    for resource in resources:
        if not resource["apiVersion"].startswith(OPERATORS_OWN):
            kubernetes_validate.validate(resource, version, strict=True)
    names = [(resource["kind"], resource["metadata"]["name"]) for resource in resources]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", VALUES)
def test_pods_may_do_nothing_but_run(name: str) -> None:
    """No root, nothing to write outside of their volumes, no capability, limits, no token of the cluster."""
    for template in _pods(_rendered(*VALUES[name])).values():
        pod, container = template["spec"], template["spec"]["containers"][0]
        assert pod["securityContext"]["runAsUser"] == 65532 and pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"limits", "requests"} <= set(container["resources"])
        assert not pod["automountServiceAccountToken"]


@pytest.mark.parametrize("name", VALUES)
def test_services_and_monitors_select_what_is_there(name: str) -> None:
    """Each service leads to pods with the port it names; each autoscaler and budget to a deployment."""
    resources = _rendered(*VALUES[name])
    labels = {component: template["metadata"]["labels"] for component, template in _pods(resources).items()}
    ports = {
        component: {port["name"] for port in template["spec"]["containers"][0].get("ports", ())}
        for component, template in _pods(resources).items()
    }
    for service in _of_kind(resources, "Service").values():
        (component,) = [name for name, have in labels.items() if service["spec"]["selector"].items() <= have.items()]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[component]
    for scaler in _of_kind(resources, "HorizontalPodAutoscaler").values():
        deployment = _of_kind(resources, "Deployment")[scaler["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in deployment["spec"]
    for budget in _of_kind(resources, "PodDisruptionBudget").values():
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        assert 1 == len([name for name, have in labels.items() if wanted <= have.items()])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("replicas=3", "replicas"),
        ("replicaCount=three", "replicaCount"),
        ("mode=single", "mode"),
        ("service.type=Public", "type"),
        ("service.port=80000", "port"),
        ("worker.processes=2", "processes"),
        ("ingress.enabled=perhaps", "enabled"),
        ("image.repository=", "repository"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("archiver.bucketUrl=ftp://x", "bucketUrl"),
        ("monitoring.serviceMonitor.interval=often", "interval"),
        ("redis=null", "redis"),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_name(setting: str, said: str) -> None:
    """Before anything is installed; the schema of the values says what there is."""
    words = (tool("helm"), "template", "shop", str(CHART), "--set", setting)
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (1, True) == (ended.returncode, "values.schema.json" in ended.stderr or "schema" in ended.stderr)
    assert said in ended.stderr, ended.stderr


def test_every_value_has_its_line_in_the_schema() -> None:
    """None of the top level and none of a component is forgotten, and none is there that the chart does not have."""
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert set(values) == set(schema["properties"]) - {"global"}
    for name, value in values.items():
        known = schema["properties"][name].get("properties")
        assert known is None or set(value) == set(known), name
    jsonschema.validate(values, schema)


# ---- what the values do ----------------------------------------------------------------------


def test_values_of_earlier_versions_mean_what_they_meant() -> None:
    """Replicas, autoscaling, ingress with TLS, the secret, the monitor and its labels; the image's tag."""
    resources = _rendered(OF_OLD)
    scaler = _of_kind(resources, "HorizontalPodAutoscaler")["shop-argyll"]["spec"]
    assert (3, 10) == (scaler["minReplicas"], scaler["maxReplicas"])
    ingress = _of_kind(resources, "Ingress")["shop-argyll"]
    assert ingress["spec"]["tls"] == [{"secretName": "workflow-tls", "hosts": ["workflow.example.com"]}]
    assert ingress["spec"]["ingressClassName"] == "nginx"
    container = _pods(resources)["api"]["spec"]["containers"][0]
    assert container["image"].endswith(":0.5.0")
    assert {"secretRef": {"name": "workflow-secrets"}} in container["envFrom"]
    monitor = _of_kind(resources, "ServiceMonitor")["shop-argyll"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert [endpoint["interval"] for endpoint in monitor["spec"]["endpoints"]] == ["15s"]
    assert _variables(resources)["WEBHOOK_BASE_URL"] == "https://workflow.example.com"


def test_the_variables_are_a_configuration_that_argyll_takes() -> None:
    """Those of the chart and those of config.inline, which win; numbers stay as they were written."""
    variables = _variables(_rendered(WHOLE))
    EngineConfig.from_env(variables)
    assert variables["FLOW_REDIS_ADDR"] == "rediss://valkey-flows:6379"
    assert (variables["FLOW_CACHE_SIZE"], variables["ARCHIVE_MEMORY_PERCENT"]) == ("1024", "72.5")
    assert "notes" not in variables


def test_a_changed_configuration_starts_all_pods_again() -> None:
    """Their templates carry a checksum of it; an unchanged one changes nothing."""

    def checksums(level: str) -> set[str]:
        pods = _pods(_rendered(config__inline=f"LOG_LEVEL: {level}"))
        return {template["metadata"]["annotations"]["checksum/config"] for template in pods.values()}

    before, again, after = checksums("info"), checksums("info"), checksums("warn")
    assert len(before) == 1 and before == again and not before & after


def test_a_file_of_variables_is_read_before_the_start() -> None:
    """`config.path` names it."""
    container = _pods(_rendered(config__path="/etc/argyll/local.env"))["worker"]["spec"]["containers"][0]
    assert container["command"][:2] == ["/bin/sh", "-c"] and container["command"][-1] == "/etc/argyll/local.env"
    assert container["args"][0] == "worker"


def test_one_pod_may_have_it_all() -> None:
    """`mode=monolith` leaves one deployment, of `argyll up`."""
    resources = _rendered(mode="monolith")
    assert ["shop-argyll"] == list(_of_kind(resources, "Deployment"))
    assert "up" == _pods(resources)["api"]["spec"]["containers"][0]["args"][0]


def test_probes_ask_for_liveness_and_readiness() -> None:
    """Of each pod that serves; a worker's port is that of its metrics."""
    for component, template in _pods(_rendered(WHOLE)).items():
        container = template["spec"]["containers"][0]
        if component in ("flower", "backup"):
            continue
        probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness", "startup")}
        assert ("/livez", "/readyz") == (probes["liveness"]["path"], probes["readiness"]["path"])
        assert {probe["port"] for probe in probes.values()} == {"http" if component == "api" else "metrics"}


def test_the_chart_brings_the_alerts_and_dashboards() -> None:
    """The same as in deploy/prometheus and deploy/grafana, under the names that their expressions expect."""
    resources = _rendered(WHOLE)
    rule = _of_kind(resources, "PrometheusRule")["shop-argyll"]
    assert yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))["groups"] == rule["spec"]["groups"]
    shown = [name for map in _of_kind(resources, "ConfigMap").values() for name in map["data"] if name.endswith("json")]
    assert sorted(path.name for path in (DEPLOY / "grafana").glob("*.json")) == sorted(shown)
    services = _of_kind(resources, "Service").values()
    names = {service["metadata"]["labels"].get("argyll-scrape-job") for service in services} - {None}
    assert names == {"argyll-api", "argyll-worker", "argyll-beat", "argyll-archiver"}


def test_values_are_explained() -> None:
    """docs/operations.md shows how to install the chart, with every part that can be turned on."""
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    assert "deploy/helm/argyll" in page
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    parts = [name for name, value in values.items() if isinstance(value, dict) and value.get("enabled") is False]
    assert [] == [name for name in parts if f"`{name}" not in page]
