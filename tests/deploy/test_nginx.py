# SPDX-License-Identifier: Apache-2.0
"""The example for nginx before a real API: TLS, passwords, webhooks, the WebSocket, and what stays inside."""

import base64
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import urllib3
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.acceptance.client import eventually
from tests.acceptance.stack import Stack, free_port
from tests.deploy.tools import DEPLOY, ROOT, tool

pytestmark = pytest.mark.slow

SELF_SIGNED = ROOT / "tests/integration/self_signed.pem"
KEY = {"Authorization": f"Basic {base64.b64encode(b'clerk:secret').decode()}"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of an API; workers are of no interest here."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.redis.start()
        stack.api.start()
        eventually("an answer of the API", lambda: _answers(stack))
        yield f"127.0.0.1:{stack.config.api_port}"
    finally:
        stack.stop()


def _answers(stack: Stack) -> bool:
    try:
        return stack.client.get("/engine/step").status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def port(api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where nginx listens with the example, on addresses and files of this machine."""
    with _nginx(tmp_path_factory.mktemp("nginx"), api, api) as port:
        yield port


@contextmanager
def _nginx(folder: Path, *apis: str) -> Iterator[int]:
    """The port of an nginx before two addresses."""
    nginx, port = tool("nginx"), free_port()
    (folder / "users").write_text("clerk:{PLAIN}secret\n", encoding="utf-8")
    page = folder / "nginx.conf"
    page.write_text(_on_this_machine(folder, apis, port), encoding="utf-8")
    words = [nginx, "-p", str(folder), "-c", str(page), "-e", "stderr", "-g", "pid nginx.pid; daemon off;"]
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stderr=log) as process:
        try:
            eventually("an answer of nginx", lambda: process.poll() is None and _status(port, "/livez") == 200)
            yield port
        finally:
            process.terminate()


def _on_this_machine(folder: Path, apis: Sequence[str], port: int) -> str:
    text = (DEPLOY / "nginx/argyll.conf").read_text("utf-8")
    for number, api in enumerate(apis, start=11):
        text = text.replace(f"server 10.0.0.{number}:8080", f"server {api}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};").replace("listen 443", f"listen {port}")
    text = re.sub(r"/etc/nginx/argyll/tls\.\w+", str(SELF_SIGNED), text)
    text = text.replace("/etc/nginx/argyll/users", str(folder / "users"))
    text = text.replace("/etc/nginx/argyll/", f"{DEPLOY}/nginx/")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if Path("/root").owner() == "root" and Path.home() == Path("/root") else ""
    return f"{user}events {{}}\nhttp {{\naccess_log off;\n{folders}{text}\n}}\n"


def _status(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> int:
    with urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False, retries=False) as pool:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        try:
            return pool.request(method, f"https://127.0.0.1:{port}{path}", body=body, headers=headers).status
        except urllib3.exceptions.HTTPError:
            return 0


def test_the_api_asks_for_a_password(port: int) -> None:
    """Without one nothing of the engine is shown or changed."""
    assert (401, 200) == (_status(port, "/engine/step"), _status(port, "/engine/step", **KEY))
    assert 401 == _status(port, "/engine/flow", "POST", b"{}")


def test_services_post_webhooks_without_one(port: int) -> None:
    """The token in the path is what lets them in; this one is unknown to the engine, which says so itself."""
    status = _status(port, "/webhook/no-flow/no-step/no-token", "POST", b"{}", **{"Content-Type": "application/json"})
    assert status in (400, 404)


def test_load_balancers_may_ask_for_liveness(port: int) -> None:
    """Without a password."""
    assert 200 == _status(port, "/livez")


def test_metrics_stay_inside(port: int) -> None:
    """Even for those who have a password."""
    assert 404 == _status(port, "/metrics", **KEY)


def test_the_websocket_goes_through(port: int) -> None:
    """With the password; without it the handshake is refused."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    url = f"wss://127.0.0.1:{port}/engine/ws"
    with connect(url, ssl=trusting, additional_headers=KEY, proxy=None) as socket:
        socket.send('{"type":"subscribe","data":{"sub_id":"1"}}')
        assert "subscribed" in socket.recv(timeout=30)
    with pytest.raises(InvalidStatus, match="401"), connect(url, ssl=trusting, proxy=None):
        pass


class Dying:
    """A server that reads a request and ends without an answer, like a process that is killed."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.seen: list[bytes] = []
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                self.seen.append(connection.recv(65_536).split(b" ")[0])


def test_a_post_that_was_cut_off_goes_to_the_other_api(api: str, tmp_path: Path) -> None:
    """The client sees the answer of the API that lives, whichever of the two was asked first."""
    dying, headers = Dying(), KEY | {"Content-Type": "application/json"}
    with _nginx(tmp_path, dying.address, api) as port:
        webhook = "/webhook/no-flow/no-step/no-token"
        statuses = [_status(port, webhook, "POST", b"{}", **headers) for _ in range(4)]
        assert (True, True) == (b"POST" in dying.seen, {400, 404} >= set(statuses)), (dying.seen, statuses)


def test_compose_has_a_configuration_that_nginx_takes(tmp_path: Path) -> None:
    """With a name that this machine knows in the place of the containers'."""
    text = (DEPLOY / "nginx/compose.conf").read_text("utf-8").replace("server api:", "server localhost:")
    text = text.replace("/etc/nginx/argyll/", f"{DEPLOY}/nginx/")
    page = tmp_path / "nginx.conf"
    page.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{text}\n}}\n", encoding="utf-8")
    words = [tool("nginx"), "-t", "-p", str(tmp_path), "-c", str(page), "-e", "stderr"]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "syntax is ok" in tried.stderr
