# SPDX-License-Identifier: Apache-2.0
"""The bench itself: its load generator on real sockets, and one small run of the whole."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from bench.load import Refused, post, send
from bench.product import ROOT
from bench.service import serving

PATIENCE_SECONDS = 500


def test_load_generator() -> None:
    """Every request is answered, over few connections; at a rate each is due when it should be."""
    requests = [post("/step", {"number": number}) for number in range(50)]
    with serving() as (url, _):
        port = int(url.split(":")[2].partition("/")[0])
        sent = send(port, requests, connections=4)
        paced = send(port, requests, connections=4, rate=1_000.0)
    assert (50, {200: 50}, 50) == (len(sent.latencies), dict(sent.statuses), len(paced.latencies))
    assert [pytest.approx(0.001, abs=1e-5)] * 49 == [later - earlier for earlier, later in pairwise(paced.due_at)]
    assert all(0 < latency for latency in sent.latencies + paced.latencies)
    with pytest.raises(Refused, match="201"):
        sent.require(201)


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


@pytest.mark.slow
def test_a_small_bench(tmp_path: Path) -> None:
    """Each wanted row has a figure and, where it counts in B, a ratio; table and lines are written."""
    wanted = ("one_step", "latency", "latency_p99", "import_time")
    ran = _run("bench", "--rows", ",".join(wanted), "--repetitions", "1", "--small", "--out", str(tmp_path))
    assert ran.returncode in (0, 1), ran.stderr  # 1: on a busy machine a budget is missed
    rows = {row["row"]: row for row in map(json.loads, (tmp_path / "figures.jsonl").read_text().splitlines())}
    assert {*wanted} == set(rows)
    assert all(row["figure"] > 0 and row["verdict"] != "not run" for row in rows.values())
    assert rows["one_step"]["ratio"] > 0
    assert all(f"| `{row}` |" in (tmp_path / "table.md").read_text() for row in wanted)


def test_a_row_that_is_none() -> None:
    """A wrong name is refused with those that there are, and nothing is started."""
    ran = _run("bench", "--rows", "one_stop")
    assert (2, "no such row: one_stop") == (ran.returncode, ran.stderr.partition(";")[0])


@pytest.mark.slow
def test_a_short_soak(tmp_path: Path) -> None:
    """No flow is lost and no log has an error; growth says nothing after so short a time."""
    ran = _run("bench.soak", "--minutes", "0.4", "--load-seconds", "4", "--warm-up", "10", "--out", str(tmp_path))
    found = json.loads((tmp_path / "soak.jsonl").read_text())
    assert (0, [], 0, 0) == (ran.returncode, found["faults"], found["lost"], found["failed"]), ran.stdout + ran.stderr
    assert found["flows"] > 0
