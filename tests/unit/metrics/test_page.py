# SPDX-License-Identifier: Apache-2.0
"""The page of metrics: of one process, and of many that keep their values in a folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from argyll_engine.metrics.instruments import REGISTRY
from argyll_engine.metrics.page import CONTENT_TYPE, Page

ROOT = Path(__file__).parents[3]
COUNTING = """
import sys
from argyll_engine.metrics.flows import _steps_ended
from argyll_engine.metrics.instruments import ARCHIVE_BACKLOG, FLOWS_STARTED, STORE_LATENCY
FLOWS_STARTED.labels("root").inc(int(sys.argv[1]))
STORE_LATENCY.labels("flow", "commit").observe(0.002)
ARCHIVE_BACKLOG.set(int(sys.argv[1]))
for number in range(250):
    _steps_ended.of(f"{sys.argv[1]}-{number}", "completed").inc()
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


def counting(folder: Path, amount: int, name: str = "") -> "subprocess.Popen[bytes]":
    """A process that has counted, and goes on to live; it may have a name under a supervisor."""
    process = subprocess.Popen(
        (sys.executable, "-c", COUNTING, str(amount)),
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        | ({"ARGYLL_PROCESS": name} if name else {}),
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


STARTED = ("argyll_flows_started_total", (("kind", "root"),))
BACKLOG = ("argyll_archive_backlog", ())


def ended(process: "subprocess.Popen[bytes]") -> None:
    """Kills it with -9."""
    process.kill()
    process.communicate()


@pytest.mark.parametrize("name", ["work_1", ""])
def test_a_process_that_is_started_again_goes_on_with_the_files_of_the_one_that_was_killed(
    tmp_path: Path, name: str
) -> None:
    """However often it dies there are no more files and names of steps; counts go on, gauges begin anew."""
    seen, files, sizes = list[tuple[float, float | None]](), list[list[str]](), list[int]()
    for amount in (3, 4, 5):
        process = counting(tmp_path, amount, name)
        page = samples(Page(str(tmp_path)).text())
        steps = {dict(labels)["step_id"] for metric, labels in page if metric == "argyll_steps_ended_total"}
        seen.append((page[STARTED], page[BACKLOG]))
        files.append(sorted(path.name for path in tmp_path.iterdir()))
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
        ended(process)
        after = samples(Page(str(tmp_path)).text())
        assert (page[STARTED], None) == (after[STARTED], after.get(BACKLOG))
        assert (201, True) == (len(steps), "other" in steps)
    assert [(3.0, 3.0), (7.0, 4.0), (12.0, 5.0)] == seen
    assert (files[0], sizes[0]) == (files[2], sizes[2])


def test_two_living_processes_of_one_name_count_apart(tmp_path: Path) -> None:
    """Neither writes over what the other has counted."""
    processes = [counting(tmp_path, amount, "work1") for amount in (3, 4)]
    try:
        assert 7.0 == samples(Page(str(tmp_path)).text())[STARTED]
    finally:
        for process in processes:
            ended(process)


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
