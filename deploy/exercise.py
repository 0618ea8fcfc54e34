#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what `deploy/docker-compose.yml` describes, without a container engine, and shows that it works.

    .venv/bin/python deploy/exercise.py

Each service is started in the order of its dependencies, with the command and the variables of its container; it must
pass the health check that is written there before the next one starts. Started by root on Linux, services of ours run
as in their container: a file system that is read-only but for /tmp and the data directory, UID 65532, no capabilities.
Then a flow runs through the proxy, one API process is stopped meanwhile, and what Prometheus and Flower show is
looked at. Servers that are not on this machine (see `.ci/tools`) are left out with a word. Exit code 1: something
failed. Long because it reads as one story.
"""

import base64
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
DEPLOY: Final = ROOT / "deploy"
TOOLS: Final = [str(ROOT / ".cache/tools" / folder) for folder in ("bin", "root/usr/bin", "root/usr/sbin")]
BIN: Final = Path(sys.executable).parent
PATIENCE_SECONDS: Final = 90.0
USER: Final = 65532
STATE: Final = "/mnt"
"""Stands for /data of the image; it must be there to be mounted on."""

# Arguments: Python's own folder, the part of its path that only root may look into (or nothing), and our tree.
CONTAINER: Final = f"""
set -e
mount --make-rprivate /
if [ -n "$2" ]; then
    stage=$(mktemp -d); mount --bind "$1" "$stage"
    mount -t tmpfs -o mode=755 tmpfs "$2"; mkdir -p "$1"; mount --bind "$stage" "$1"
fi
mount -o remount,bind,ro /
case "$3" in /tmp/*) mount --bind "$3" {STATE} ;; esac
mount -t tmpfs -o mode=1777,noexec,nosuid,size=64m tmpfs /tmp
case "$3" in /tmp/*)
    mkdir -p "$3"; mount --bind {STATE} "$3"; mount -o remount,bind,ro "$3"; umount {STATE} ;;
esac
mount -t tmpfs -o mode=0750,uid={USER},gid={USER},noexec,nosuid,size=64m tmpfs {STATE}
shift 3
cd {STATE}
exec setpriv --reuid {USER} --regid {USER} --clear-groups --bounding-set -all --inh-caps -all --no-new-privs "$@"
"""


class Failure(Exception):
    """A piece does not do what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process: how it starts, and the health check that must pass."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    check: tuple[str, ...] = ()
    is_ours: bool = True


def main() -> None:
    """Start all, look at it, stop it, and print a table."""
    results: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="argyll-exercise-") as folder, ExitStack() as running:
        exercise = Exercise(Path(folder), running)
        for name, piece in exercise.pieces():
            try:
                said = piece()
            except (Failure, OSError, subprocess.SubprocessError) as exc:
                results.append((name, f"FAILED: {exc}"))
                print(exercise.last_words(), file=sys.stderr)
                break
            results.append((name, said))
            print(f"{name:<28} {said}", flush=True)
    failed = [f"{name}: {said}" for name, said in results if said.startswith("FAILED")]
    if failed:
        raise SystemExit("\n".join(failed))
    left_out = sum(said.startswith("left out") for _, said in results)
    print(f"{len(results) - left_out} pieces work, {left_out} left out")


class Exercise:
    """The services of the compose file on ports of this machine."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self._folder, self._running = folder, running
        self._compose: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text("utf-8"))
        names = ("valkey", "s3", "api1", "api2", "proxy", "worker", "beat", "archiver", "flower", "prometheus")
        self._ports = {name: _free_port() for name in names}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = folder / "log"

    def pieces(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """What is exercised, in order."""
        yield "start order", self._order
        for name in self._started_in_order():
            yield from {
                "valkey": [("valkey", self._valkey)],
                "s3": [("s3", self._s3)],
                "bucket": [("bucket", self._bucket)],
                "api": [("api 1", lambda: self._argyll("api", "api1")), ("api 2", lambda: self._argyll("api", "api2"))],
                "proxy": [("proxy", self._proxy)],
                "prometheus": [("prometheus", self._prometheus)],
                "grafana": [("grafana", lambda: "left out: there is no Grafana here")],
            }.get(name, [(name, functools.partial(self._argyll, name, name))])
        yield "a flow", self._flow
        yield "the configuration", self._config
        yield "a backup", self._backup
        yield "an API process stops", self._one_api_less
        yield "metrics", self._metrics
        yield "prometheus' targets", self._targets
        yield "flower's workers", self._workers
        yield "command lines elsewhere", self._command_lines

    # ---- services --------------------------------------------------------------------------------

    def _order(self) -> str:
        return " → ".join(self._started_in_order())

    def _started_in_order(self) -> list[str]:
        services, ordered = self._compose["services"], list[str]()
        while len(ordered) < len(services):
            free = [
                name
                for name, service in services.items()
                if name not in ordered and set(service.get("depends_on", ())) <= set(ordered)
            ]
            if not free:
                raise Failure("the dependencies of docker-compose.yml go round in a circle")
            ordered += free
        return ordered

    def _valkey(self) -> str:
        from argyll_api.cli.embedded import find_server

        service = self._compose["services"]["valkey"]
        options = [_filled(word) for word in service["command"][2:]]
        words = (str(find_server().program), str(DEPLOY / "redis.conf"), *options)
        port = ("--port", str(self._ports["valkey"]), "--bind", "127.0.0.1", "--dir", str(self._folder))
        self._password = _filled(service["environment"]["REDISCLI_AUTH"])
        check = (sys.executable, "-c", _PING, str(self._ports["valkey"]), self._password)
        self._start(Service(name="valkey", argv=(*words, *port), environment=os.environ, check=check, is_ours=False))
        return f"{Path(words[0]).name} with deploy/redis.conf {' '.join(options[2:])}"

    def _s3(self) -> str:
        if shutil.which("moto_server", path=str(BIN)) is None:
            return "left out: moto is not installed"
        port = str(self._ports["s3"])
        words = (str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", port)
        check = (sys.executable, "-c", "import sys, socket; socket.create_connection(('127.0.0.1', int(sys.argv[1])))")
        self._start(Service(name="s3", argv=words, environment=os.environ, check=(*check, port), is_ours=False))
        return "moto in the place of MinIO"

    def _bucket(self) -> str:
        if "s3" not in self._processes:
            return "left out: no S3 server"
        service = self._compose["services"]["bucket"]
        words = (sys.executable, "-c", self._here(service["command"][0]))
        _run(self._wrapped(words), self._environment("bucket"))
        _run(self._wrapped(words), self._environment("bucket"))
        return "made; a second time changes nothing"

    def _argyll(self, name: str, process: str) -> str:
        if name == "archiver" and "s3" not in self._processes:
            return "left out: no S3 server"
        service = self._compose["services"][name]
        words = [_filled(str(word)) for word in service["command"]]
        if name == "flower":
            words += ["--port", str(self._ports["flower"])]
        check = tuple(self._here(str(word)) for word in service["healthcheck"]["test"][1:])
        environment = self._environment(name, process)
        self._start(Service(name=process, argv=("argyll", *words), environment=environment, check=check))
        return f"argyll {' '.join(words)}; healthy by `{' '.join(check)[:60]}`{_as_container()}"

    def _proxy(self) -> str:
        nginx = _tool("nginx")
        if nginx is None:
            return "left out: there is no nginx here"
        text = (DEPLOY / "nginx/compose.conf").read_text("utf-8")
        servers = "\n".join(
            f"server 127.0.0.1:{self._ports[name]} max_fails=2 fail_timeout=5s;" for name in ("api1", "api2")
        )
        text = re.sub(r"server api:8080[^;]*;", servers, text)
        text = text.replace("/etc/nginx/argyll/", f"{DEPLOY}/nginx/")
        text = text.replace("listen 8080", f"listen 127.0.0.1:{self._ports['proxy']}")
        page = self._folder / "nginx.conf"
        folders = "".join(
            f"{kind}_temp_path {self._folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        page.write_text(f"daemon off; events {{}}\nhttp {{ {folders} access_log off;\n{text}\n}}\n", encoding="utf-8")
        words = (nginx, "-p", str(self._folder), "-c", str(page), "-e", "stderr", "-g", "user root; pid nginx.pid;")
        check = (sys.executable, "-c", _GET, f"{self._api}/livez")
        self._start(Service(name="proxy", argv=words, environment=os.environ, check=check, is_ours=False))
        return "nginx with deploy/nginx/compose.conf before two API processes"

    def _prometheus(self) -> str:
        prometheus = _tool("prometheus")
        if prometheus is None:
            return "left out: there is no Prometheus here"
        content = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
        content["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        places = {
            "argyll-api": ("api1", "api2"),
            "argyll-worker": ("worker",),
            "argyll-beat": ("beat",),
            "argyll-archiver": ("archiver",),
            "prometheus": ("prometheus",),
        }
        content["rule_files"] = [str(DEPLOY / "prometheus/alerts.yml")]
        content["scrape_configs"] = [
            {
                "job_name": scrape["job_name"],
                "static_configs": [
                    {"targets": [f"127.0.0.1:{self._ports[name]}" for name in places[scrape["job_name"]]]}
                ],
            }
            for scrape in content["scrape_configs"]
        ]
        page = self._folder / "prometheus.yml"
        page.write_text(yaml.safe_dump(content), encoding="utf-8")
        address = f"127.0.0.1:{self._ports['prometheus']}"
        words = (prometheus, f"--config.file={page}", f"--storage.tsdb.path={self._folder}/prometheus")
        check = (sys.executable, "-c", _GET, f"http://{address}/-/ready")
        listen = f"--web.listen-address={address}"
        self._start(
            Service(name="prometheus", argv=(*words, listen), environment=os.environ, check=check, is_ours=False)
        )
        return "with deploy/prometheus/alerts.yml"

    # ---- what they do together -------------------------------------------------------------------

    @property
    def _api(self) -> str:
        return f"http://127.0.0.1:{self._ports['proxy' if _tool('nginx') else 'api1']}"

    def _flow(self) -> str:
        step = {
            "id": "greet",
            "name": "Greet",
            "type": "script",
            "script": {"language": "ale", "script": '{:greeting (str "Hello, " name)}'},
            "attributes": {
                "name": {"role": "required", "type": "string"},
                "greeting": {"role": "output", "type": "string"},
            },
        }
        self._ask("/engine/step", step)
        return self._run_flow("exercise-1")

    def _run_flow(self, flow_id: str) -> str:
        start = {"id": flow_id, "goals": ["greet"], "init": {"name": ["Argyll"]}}
        answer = self._ask("/engine/flow?wait=60s", start)
        status = answer.get("status") or answer.get("state", {}).get("status")
        if status != "completed":
            raise Failure(f"the flow is {answer}")
        return f"started and completed through {self._api}"

    def _ask(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(content).encode()
        request = urllib.request.Request(self._api + path, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as exc:
            raise Failure(f"{path} was answered with {exc.code}: {exc.read().decode()}") from exc

    def _config(self) -> str:
        for name in ("api", "worker", "archiver"):
            _run(self._wrapped(("argyll", "config", "check")), self._environment(name))
        return "argyll config check finds no fault"

    def _backup(self) -> str:
        if "s3" not in self._processes:
            return "left out: no S3 server"
        environment = self._environment("archiver")
        for verb in ("create", "verify"):
            _run(self._wrapped(("argyll", "backup", verb, environment["ARCHIVE_BUCKET_URL"])), environment)
        return "argyll backup create and verify, in the bucket"

    def _one_api_less(self) -> str:
        if "proxy" not in self._processes:
            return "left out: there is no nginx here"
        self._stop("api1")
        for number in range(20):
            self._run_flow(f"exercise-one-{number}")
        self._argyll("api", "api1")
        return "20 flows started and completed meanwhile, no request failed"

    def _metrics(self) -> str:
        found = [name for name in ("api1", "worker", "beat", "archiver") if name in self._processes]
        for name in found:
            if "argyll_build_info" not in _get(f"http://127.0.0.1:{self._ports[name]}/metrics"):
                raise Failure(f"/metrics of {name} is not that of Argyll")
        return "on the ports of " + ", ".join(found)

    def _targets(self) -> str:
        if "prometheus" not in self._processes:
            return "left out: there is no Prometheus here"
        url = f"http://127.0.0.1:{self._ports['prometheus']}/api/v1"
        expected = {"api1", "api2", "worker", "beat", "archiver", "prometheus"} & set(self._processes)

        def up() -> bool:
            targets = json.loads(_get(f"{url}/targets"))["data"]["activeTargets"]
            return len(expected) == sum(target["health"] == "up" for target in targets)

        _eventually("targets of Prometheus", up)
        groups = json.loads(_get(f"{url}/rules"))["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        _eventually("rules", lambda: "unknown" not in {rule["health"] for rule in rules} or _reload(rules, url))
        sick = [rule["name"] for rule in rules if rule["health"] == "err"]
        if sick:
            raise Failure(f"rules cannot be evaluated: {sick}")
        return f"{len(expected)} are up; {len(rules)} rules"

    def _workers(self) -> str:
        user = _filled(self._compose["services"]["flower"]["environment"]["FLOWER_BASIC_AUTH"])
        key = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
        url = f"http://127.0.0.1:{self._ports['flower']}/api/workers?refresh=1"

        def names() -> list[str]:
            with urllib.request.urlopen(urllib.request.Request(url, headers=key), timeout=30) as answer:
                return sorted(json.loads(answer.read()))

        _eventually("workers in Flower", lambda: len(names()) >= 3)
        return ", ".join(names())

    def _command_lines(self) -> str:
        """Those of the systemd units: a unit that names an unknown option would only fail on its machine."""
        units = sorted((DEPLOY / "systemd").glob("*.service"))
        for unit in units:
            (line,) = re.findall(r"^ExecStart=.*/argyll ([^'\n]*)", unit.read_text("utf-8"), re.MULTILINE)
            _run((str(BIN / "argyll"), *line.split(), "--help"), os.environ)
        return f"{len(units)} units"

    # ---- processes -------------------------------------------------------------------------------

    def _environment(self, name: str, process: str = "") -> dict[str, str]:
        """That of the container: the image's, then the files', then the service's own."""
        service = self._compose["services"][name]
        found = {"LOG_FORMAT": "json", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        for path in service.get("env_file", ()):
            found |= _variables((DEPLOY / path).read_text("utf-8"))
        found |= {name: self._here(str(value)) for name, value in service["environment"].items()}
        if process:
            port = str(self._ports[process])
            found |= {"API_PORT": port, "API_HOST": "127.0.0.1"} if name == "api" else {"WORKER_METRICS_PORT": port}
        if "ARGYLL_DATA_DIR" in found:
            found["ARGYLL_DATA_DIR"] = STATE if _as_container() else str(self._folder / (process or name))
        return found | {"PATH": f"{BIN}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}

    def _here(self, text: str) -> str:
        """A text of the compose file, with the addresses of this machine."""
        text = _filled(text)
        names = {"valkey:6379": "valkey", "s3:9000": "s3", "proxy:8080": "proxy", "127.0.0.1:5555": "flower"}
        for there, name in names.items():
            here = name if name != "proxy" or _tool("nginx") else "api1"
            text = text.replace(there, f"127.0.0.1:{self._ports[here]}")
        return text

    def _start(self, service: Service) -> None:
        words = self._wrapped(service.argv) if service.is_ours else service.argv
        with self._log.open("ab") as log:
            process = subprocess.Popen(words, env=service.environment, stdout=log, stderr=log, cwd=self._folder)
        self._processes[service.name] = process
        self._running.callback(self._stop, service.name)
        check = self._wrapped(service.check) if service.is_ours else service.check

        def is_healthy() -> bool:
            if process.poll() is not None:
                raise Failure(f"{service.name} ended with {process.returncode}")
            return subprocess.run(check, env=service.environment, capture_output=True, check=False).returncode == 0

        _eventually(f"health of {service.name}", is_healthy)

    def _stop(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(45)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f"{name} did not stop when it was asked to") from None

    def _wrapped(self, words: tuple[str, ...]) -> tuple[str, ...]:
        program = shutil.which(words[0], path=str(BIN)) or words[0]
        if not _as_container():
            return (program, *words[1:])
        base = Path(sys.base_prefix)
        hidden = [folder for folder in (base, *base.parents) if not folder.stat().st_mode & 0o001]
        shell = ("/usr/bin/unshare", "-m", "/bin/sh", "-c", CONTAINER, "container")
        return (*shell, str(base), str(hidden[-1]) if hidden else "", str(ROOT), program, *words[1:])

    def last_words(self) -> str:
        """The end of what all processes printed."""
        return self._log.read_text("utf-8", "replace")[-6000:] if self._log.exists() else ""


_PING: Final = "import redis, sys; redis.Redis(port=int(sys.argv[1]), password=sys.argv[2]).ping()"
_GET: Final = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=4)"


@functools.cache
def _as_container() -> str:
    """A word for the table when processes can be confined here; empty when they cannot."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return ""
    tried = subprocess.run(("unshare", "-m", "mount", "--make-rprivate", "/"), capture_output=True, check=False)
    return "; read-only, UID 65532" if tried.returncode == 0 else ""


@functools.cache
def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=":".join(TOOLS))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _filled(text: str) -> str:
    """A text of the compose file with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def _variables(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _run(words: tuple[str, ...], environment: Mapping[str, str]) -> None:
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if ended.returncode:
        raise Failure(f"{' '.join(words)[-200:]} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def _eventually(what: str, is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise Failure(f"waited for {what} in vain")
        time.sleep(0.2)


def _reload(rules: list[Any], url: str) -> bool:
    groups = json.loads(_get(f"{url}/rules"))["data"]["groups"]
    rules[:] = [rule for group in groups for rule in group["rules"]]
    return False


if __name__ == "__main__":
    main()
