# SPDX-License-Identifier: Apache-2.0
"""`argyll archive` on a real Redis and a directory."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result

from argyll_api.cli import main
from argyll_archiver.wiring import archiver_config, build_access, build_archiver
from argyll_engine.config import EngineConfig
from argyll_engine.engine import Engine
from argyll_engine.model.ids import FlowID, Name, StepID
from argyll_engine.model.listing import FlowQuery
from argyll_engine.wiring import build_engine
from tests.contract.redis_server import RedisServer
from tests.definitions import a_script_step, lua, output, required

GOAL = StepID("boil")
FLOWS = ("f1", "f2", "f3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An engine with flows in its archive, which is a folder."""

    engine: Engine
    folder: Path

    def objects(self) -> list[Path]:
        """The files of the archive."""
        return sorted(self.folder.rglob("*.json.gz"))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    """Three archived flows and a live one, in what the environment names."""
    with TemporaryDirectory() as folder, running(RedisServer(Path(folder))):
        for name in [name for name in os.environ if name.endswith(("REDIS_ADDR", "BROKER_URL"))]:
            monkeypatch.delenv(name)
        for name in ("ENGINE_REDIS_ADDR", "FLOW_REDIS_ADDR"):
            monkeypatch.setenv(name, f"unix://{folder}/redis.sock")
        monkeypatch.setenv("ARCHIVE_BUCKET_URL", f"file://{tmp_path}/archive")
        monkeypatch.setenv("LOG_LEVEL", "error")
        config, archiving = EngineConfig.from_env(os.environ), archiver_config(os.environ)
        engine = build_engine(config, archive=build_access(archiving))
        engine.register_step(a_script_step("boil", {"n": required(), "out": output()}, script=lua("return {out = 1}")))
        for flow_id in (*FLOWS, "live"):
            # its goal is satisfied by what it starts with, so it has ended when it has started
            engine.start_flow(FlowID(flow_id), (GOAL,), {Name("out"): ("ü",)}, {"shop": "north"})
        archiver = build_archiver(config, archiving)
        assert all(archiver.archive(FlowID(flow_id)) for flow_id in FLOWS)
        yield Place(engine=engine, folder=tmp_path / "archive")


@contextmanager
def running(server: RedisServer) -> Iterator[None]:
    """The server, for as long as it is needed."""
    server.start()
    try:
        yield
    finally:
        server.stop()


def run(*words: str) -> Result:
    """What the command printed, and its exit code."""
    return CliRunner().invoke(main, ["archive", *words])


def test_archived_flows_are_listed(place: Place) -> None:
    """Oldest first; by beginning and day too."""
    rows = json.loads(run("list", "--json").output)
    assert (list(FLOWS), {"completed"}) == ([row["id"] for row in rows], {row["status"] for row in rows})
    assert "v2/" in run("list").output
    assert ["f2"] == [row["id"] for row in json.loads(run("list", "--prefix", "f2", "--json").output)]
    day = rows[0]["deactivated_at"][:10]
    ranges = [
        ("--since", day),
        ("--until", day),
        ("--since", "2999-01-01"),
        ("--until", "2001-01-01"),
        ("--limit", "1"),
    ]
    assert [3, 3, 0, 0, 1] == [len(json.loads(run("list", "--json", *words).output)) for words in ranges]


def test_an_archived_flow_is_shown(place: Place) -> None:
    """State or events, for people and for machines."""
    assert "f1: completed" in run("get", "f1").output
    assert "flow_deactivated" in run("get", "f1", "--events").output
    assert "f1" == json.loads(run("get", "f1", "--json").output)["id"]
    served = [json.loads(event) for event in place.engine.queries.flow_log(FlowID("f1")).events]
    assert served == json.loads(run("get", "f1", "--events", "--json").output)["events"]
    assert (1, True) == ((found := run("get", "live")).exit_code, "not archived" in found.output)


def test_an_archive_is_verified(place: Place) -> None:
    """Exit code 0 says that every object is whole; damage is named, and is exit code 1."""
    whole = run("verify")
    assert (0, "3 objects are whole, 0 damaged; no flow needs 0\n") == (whole.exit_code, whole.output)
    first, second, _ = place.objects()
    first.write_bytes(first.read_bytes()[:-9])
    second.unlink()
    damaged = run("verify")
    assert (1, 2) == (damaged.exit_code, damaged.output.count("damaged: "))
    lines = [json.loads(line) for line in run("verify", "--json").output.splitlines()]
    assert ({"f1", "f2"}, {"whole": 1, "damaged": 2, "unused": 0}) == (
        {row["flow_id"] for row in lines[:-1]},
        lines[-1],
    )


def test_flows_are_exported(place: Place, tmp_path: Path) -> None:
    """A file each, or a line each."""
    assert "3 flows written" in run("export", str(tmp_path / "files")).output
    files = sorted((tmp_path / "files").rglob("*.json"))
    assert list(FLOWS) == [json.loads(path.read_text("utf-8"))["flow_id"] for path in files]
    run("export", str(tmp_path / "lines"), "--as", "lines", "--prefix", "f")
    lines = (tmp_path / "lines" / "flows.jsonl").read_text("utf-8").splitlines()
    assert [path.read_text("utf-8") for path in files] == lines


def test_flows_are_restored(place: Place) -> None:
    """And stay so."""
    assert "f1: 1 flows restored\nf2: 1 flows restored\n" == run("restore", "f1", "f2").output
    assert "f1: 0 flows restored\n" == run("restore", "f1").output
    assert ["f3"] == [row.id for row in place.engine.queries.query(FlowQuery(archived=True)).items]
    assert "no flow needs 2" in run("verify").output


def test_flows_are_erased(place: Place) -> None:
    """Once it was said twice; the audit log keeps it."""
    assert 1 == CliRunner().invoke(main, ["archive", "erase", "f1"], input="n\n").exit_code
    for flow_id in ("f1", "live"):
        assert f"{flow_id}: 1 flows erased" in run("erase", flow_id, "--yes", "--reason", "asked for").output
    assert ({"f2", "f3"}, 2) == ({row.id for row in place.engine.queries.list_flows()}, len(place.objects()))
    records = [json.loads(line) for line in run("audit", "--json").output.splitlines()]
    assert [("f1", "1"), ("live", "0")] == [(record["flow_ids"], record["objects"]) for record in records]
    assert "erased f1 (1 flows" in run("audit").output


def test_what_is_past_its_retention_is_shown_before_it_goes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a retention nothing ever goes."""
    assert (2, True) == ((off := run("expire")).exit_code, "ARCHIVE_RETENTION is not set" in off.output)
    monkeypatch.setenv("ARCHIVE_RETENTION", "8760h")
    assert "0 flows would expire\n" == run("expire", "--dry-run").output
    monkeypatch.setenv("ARCHIVE_RETENTION", "1ms")
    assert "f1\nf2\nf3\n3 flows would expire\n" == run("expire", "--dry-run").output
    assert (3, "3 flows expired\n") == (len(place.objects()), run("expire").output)
    assert (["live"], []) == ([row.id for row in place.engine.queries.list_flows()], place.objects())
    assert " expired (3 flows, " in run("audit").output


def test_without_an_archive_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has nothing to work on."""
    monkeypatch.delenv("ARCHIVE_BUCKET_URL", raising=False)
    assert (2, True) == ((found := run("list")).exit_code, "ARCHIVE_BUCKET_URL is not set" in found.output)
