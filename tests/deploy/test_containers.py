# SPDX-License-Identifier: Apache-2.0
"""The image and the compose file, read as text: what can be known of them without a container engine."""

import configparser
import importlib.metadata
import re
from itertools import pairwise
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from argyll_engine.config import EngineConfig
from argyll_engine.variables import ARCHIVE_VARIABLES, VARIABLES
from tests.deploy.tools import DEPLOY, ROOT

Service = dict[str, Any]
STAGES = re.split(r"^FROM ", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)[1:]
BUILD, IMAGE = STAGES


def _services() -> dict[str, Service]:
    services: dict[str, Service] = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text("utf-8"))["services"]
    return services


def _ours() -> dict[str, Service]:
    return {name: service for name, service in _services().items() if "build" in service and name != "bucket"}


def _wanted_by_us() -> list[tuple[Requirement, set[str]]]:
    """What setup.cfg says; what is installed may be of an older tree."""
    options = configparser.ConfigParser()
    options.read(ROOT / "setup.cfg")
    extras = options["options.extras_require"]
    lines = "\n".join((options["options"]["install_requires"], extras["flower"], extras["otel"])).splitlines()
    return [(Requirement(line), set()) for line in lines if line and not line.startswith("#")]


def _pins(*names: str) -> dict[str, str]:
    pages = [(ROOT / "requirements" / f"{name}.txt").read_text("utf-8") for name in names]
    lines = [line.partition(";")[0].strip() for page in pages for line in page.splitlines()]
    pins = [line.split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): version for name, version in pins}


# ---- the image -------------------------------------------------------------------------------


def test_the_image_runs_as_nobody_in_particular() -> None:
    """UID 65532, as a number, so that orchestrators can see that it is not root."""
    assert re.findall(r"^USER (.*)$", IMAGE, re.MULTILINE) == ["65532:65532"]


def test_no_compiler_and_no_installer_reach_the_image() -> None:
    """They are in the first stage, and only its environment is copied."""
    assert "apt-get" in BUILD and "apt-get" not in IMAGE and "pip install" not in IMAGE
    assert re.findall(r"^COPY (.*)$", IMAGE, re.MULTILINE) == ["--from=build /opt/argyll /opt/argyll"]
    assert "pip uninstall -y pip" in BUILD


def test_everything_in_the_image_is_pinned() -> None:
    """The base image to a patch version, all packages by requirements/."""
    assert re.search(
        r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.M
    )
    assert "-r requirements/base.txt -r requirements/image.txt" in BUILD and "--no-deps" in BUILD


def test_the_image_has_all_that_its_commands_import() -> None:
    """The pins of base.txt and image.txt hold whatever Argyll needs with Flower and traces, in test.txt's versions."""
    pins, tested = _pins("base", "image"), _pins("base", "test")
    needed, seen = _wanted_by_us(), set[str]()
    while needed:
        requirement, extras = needed.pop()
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        name = canonicalize_name(requirement.name)
        if name not in seen:
            seen.add(name)
            needed += [(Requirement(line), requirement.extras) for line in importlib.metadata.requires(name) or ()]
    assert set() == seen - set(pins)
    assert {name: tested[name] for name in pins} == pins


def test_the_image_says_how_its_health_is_asked() -> None:
    """By the command that each service may replace."""
    assert 'CMD ["argyll", "probe", "live", "--api"]' in IMAGE


# ---- compose ---------------------------------------------------------------------------------


def test_every_server_is_there() -> None:
    """Store, two APIs behind a proxy, workers, beat, archiver, an S3 server, Flower, Prometheus and Grafana."""
    assert {"valkey", "proxy", "s3", "prometheus", "grafana"} | set(_ours()) == set(_services()) - {"bucket"}
    assert {"api", "worker", "beat", "archiver", "flower"} == set(_ours())
    assert _services()["api"]["deploy"]["replicas"] == 2


def test_images_of_others_are_pinned() -> None:
    """To a version each, by their plain names."""
    images = [service["image"] for service in _services().values() if "build" not in service]
    assert [] == [image for image in images if not re.fullmatch(r"[\w/]+:[\w.\-]*\d[\w.\-]*", image)]


def test_containers_of_ours_may_write_nothing_but_their_own() -> None:
    """A read-only root, no capabilities, no new privileges."""
    for service in _ours().values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_service_waits_for_the_health_of_what_it_needs() -> None:
    """Each has a health check, and each dependency has a condition that somebody can fulfil."""
    services = _services()
    for service in services.values():
        assert service["healthcheck"]
        for name, dependency in service.get("depends_on", {}).items():
            if dependency["condition"] == "service_completed_successfully":
                assert services[name]["restart"] == "no"
            else:
                assert dependency["condition"] == "service_healthy" and "test" in services[name]["healthcheck"]
    assert "valkey" in services["worker"]["depends_on"] and "api" in services["proxy"]["depends_on"]


def test_the_store_keeps_what_it_is_given() -> None:
    """The settings of deploy/redis.conf, a limit of memory, and a volume."""
    valkey = _services()["valkey"]
    assert "./redis.conf:/etc/valkey/argyll.conf:ro" in valkey["volumes"] and "valkey:/data" in valkey["volumes"]
    assert "--maxmemory" in valkey["command"]


def test_the_variables_are_a_configuration_that_argyll_takes() -> None:
    """Of each service: its files, then its own, with the defaults of the file's variables."""
    known = {name for row in (*VARIABLES, *ARCHIVE_VARIABLES) for name in row.names}
    for service in _ours().values():
        environment: dict[str, str] = {}
        for path in service["env_file"]:
            lines = (DEPLOY / path).read_text("utf-8").splitlines()
            environment |= dict(line.split("=", 1) for line in lines if line and line[0] != "#")
        own = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in service["environment"].items()}
        config = EngineConfig.from_env(environment | own)
        assert config.production and config.flow_redis.password
        assert set() == {name for name in own if not name.startswith(("AWS_", "FLOWER_"))} - known


def test_each_shard_has_a_redis_and_a_worker() -> None:
    """In the file that adds a second one: the first stays where it was, and all of ours know the same list."""
    added = yaml.safe_load((DEPLOY / "docker-compose.shards.yml").read_text("utf-8"))
    services: dict[str, Service] = added["services"]
    workers = {name for name, service in services.items() if name.startswith("worker")}
    assert set(_ours()) | workers == set(services) - {"valkey-2"}
    lists = {services[name]["environment"]["FLOW_REDIS_ADDR"] for name in set(_ours()) | workers}
    assert ["valkey:6379,valkey-2:6379"] == sorted(lists)
    config = EngineConfig.from_env({"FLOW_REDIS_ADDR": lists.pop()})
    shards = [word for name in workers for flag, word in pairwise(services[name]["command"]) if flag == "--shard"]
    assert [str(number) for number, _ in enumerate(config.shards, 1)] == sorted(shards)
    assert set(services["valkey-2"]["volumes"][0].split(":")[:1]) == set(added["volumes"])


def test_the_archiver_has_a_file_with_its_variables() -> None:
    """Each once, with its default; the other files are held against the table by another test."""
    lines = (DEPLOY / "env/archiver.env").read_text("utf-8").splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    assert [f"{row.name}={row.default}" for row in ARCHIVE_VARIABLES] == settings


def test_mounted_files_are_there() -> None:
    """Each path that a volume or a build names, from where the compose file lies."""
    for service in _services().values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists(), source
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    for words in re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile, re.MULTILINE):
        assert [] == [word for word in words.split() if not (ROOT / word).exists()]


def test_the_build_sees_what_it_copies() -> None:
    """.dockerignore leaves out everything but that."""
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", BUILD, re.MULTILINE)
    assert sorted(let_in) == sorted(word.rstrip("/") for words in copied for word in words.split())
