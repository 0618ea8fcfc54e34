# SPDX-License-Identifier: Apache-2.0
"""The processes that the demo starts, and stops on every way out: an engine, and the services.

They are sessions of their own, so that a Ctrl-C reaches only the demo, which then stops them one by one; and they
are tied to it, so that they do not outlive a kill -9 of it. Called by `demo.py` only.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import urllib3

from argyll_api.cli.tether import tether
from examples.order.services import HOST, PORTS

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
ROOT: Final = Path(__file__).parents[2]

_SHOWN_LINES: Final = 20
_OF_AN_ENGINE: Final = ("_ADDR", "_PASSWORD", "_BROKER_URL")  # ends of variables that would lead to another Redis


class StartError(click.ClickException):
    """A process that the demo needs did not come up."""

    exit_code = 2


@contextmanager
def engine() -> Iterator[str]:
    """The address of an engine with a Redis, a data directory and a port of its own, until the block ends.

    Raises:
        StartError: With the last lines that it printed.
    """
    with tempfile.TemporaryDirectory(prefix="argyll-demo-") as directory:
        place, url = Path(directory), f"http://{HOST}:{(port := _free_port())}"
        environment = {name: value for name, value in os.environ.items() if not name.endswith(_OF_AN_ENGINE)}
        environment |= {"ARGYLL_DATA_DIR": str(place / "var"), "API_HOST": HOST, "API_PORT": str(port)}
        environment |= {"WEBHOOK_BASE_URL": url}
        with (place / "engine.log").open("wb") as printed:
            process = _start(("argyll_api.cli", "up"), environment, stdout=printed.fileno())
        try:
            _wait_until_ready(process, url, place / "engine.log")
            yield url
        finally:
            _stop(process)


@contextmanager
def services() -> Iterator[Mapping[str, str]]:
    """The addresses of the services by name, until the block ends.

    Raises:
        StartError: They ended instead of printing their addresses.
    """
    process = _start(("examples.order.services", "--any-port"), os.environ, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        with process.stdout as lines:
            pairs = (lines.readline().decode().split() for _ in PORTS)
            addresses = {pair[0]: pair[1] for pair in pairs if pair}
            if len(addresses) < len(PORTS):
                raise StartError("the services did not start")
            yield addresses
    finally:
        _stop(process)


def _start(module: tuple[str, ...], environment: Mapping[str, str], stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-m", *module),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=None if stdout == subprocess.PIPE else subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=tether(signal.SIGTERM, os.getpid()),
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the process to end, and insists; a Ctrl-C in the meantime does not leave it behind."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.terminate()
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_answering(url):
        if process.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
            raise StartError("\n".join(("the engine did not start; it said:", *last)))
        time.sleep(0.1)


def _is_answering(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/health", retries=False, timeout=1.0).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])
