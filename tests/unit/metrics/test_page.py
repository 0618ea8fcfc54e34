# SPDX-License-Identifier: Apache-2.0
"""The page of metrics: of one process, and of many that keep their values in a folder."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from argyll_engine.metrics.instruments import REGISTRY
from argyll_engine.metrics.page import CONTENT_TYPE, Page

ROOT = Path(__file__).parents[3]
COUNTING = """
import sys
from argyll_engine.metrics.instruments import FLOWS_STARTED, STORE_LATENCY
FLOWS_STARTED.labels("root").inc(int(sys.argv[1]))
STORE_LATENCY.labels("flow", "commit").observe(0.002)
print("counted", flush=True)
sys.stdin.read()
"""


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a page."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def counting(folder: Path, amount: int) -> "subprocess.Popen[bytes]":
    """A process that has counted, and goes on to live."""
    process = subprocess.Popen(
        (sys.executable, "-c", COUNTING, str(amount)),
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert b"counted\n" == process.stdout.readline()
    return process


def test_the_page_adds_up_all_processes_and_forgets_none_that_was_killed(tmp_path: Path) -> None:
    """Two processes count 3 and 4; one is killed with -9, and the sum stays 7."""
    processes = [counting(tmp_path, amount) for amount in (3, 4)]
    try:
        both = samples(Page(str(tmp_path)).text())
        processes[0].kill()
        processes[0].wait()
        after = samples(Page(str(tmp_path)).text())
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    started = ("argyll_flows_started_total", (("kind", "root"),))
    latencies = ("argyll_store_latency_seconds_count", (("operation", "commit"), ("store", "flow")))
    assert (7.0, 2.0) == (both[started], both[latencies])
    assert (7.0, 2.0) == (after[started], after[latencies])


def test_every_metric_is_on_the_page_of_a_folder_in_which_nobody_has_counted(tmp_path: Path) -> None:
    """Without a value, but with its name and type: who builds dashboards finds what there is."""
    text = Page(str(tmp_path)).text().decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert set() == {metric.name for metric in REGISTRY.collect()} - names


def test_a_process_alone_shows_what_it_counts() -> None:
    """No folder is needed, and no process shows times of creation."""
    text = Page().text().decode()
    assert "# TYPE argyll_commits_total counter" in text
    assert "_created" not in text
    assert "text/plain; version=0.0.4; charset=utf-8" == CONTENT_TYPE
