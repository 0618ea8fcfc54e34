# SPDX-License-Identifier: Apache-2.0
"""The console command as a whole: which commands there are, and what it says of itself."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from argyll_api.cli import main
from argyll_api.cli.archiver import archiver_children
from argyll_api.cli.shards import Served
from argyll_api.cli.workers import Fleet, worker_children
from argyll_engine.config import EngineConfig


def test_every_command_is_there() -> None:
    """Processes, `down`, tools, and the clients of the API; each under its own name and with a help text."""
    context = click.Context(main)
    assert {
        "ale",
        "api",
        "archive",
        "archiver",
        "backup",
        "beat",
        "config",
        "dead-letters",
        "doctor",
        "down",
        "flow",
        "flower",
        "migrate",
        "plan",
        "probe",
        "script",
        "step",
        "up",
        "worker",
    } == set(main.list_commands(context))
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    assert [] == [name for name, command in commands.items() if command is None or command.name != name]
    assert [] == [name for name, command in commands.items() if command is None or not command.help]


def test_a_command_loads_no_other() -> None:
    """Processes begin sooner for it: what one of them needs, the others do not wait for."""
    run = "main(['beat', '--help'], standalone_mode=False)"
    program = f"import sys; from argyll_api.cli import main; {run}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    foreign = {"argyll_engine.wiring", "argyll_api.client", "argyll_engine.scripting", "boto3", "flask", "uvicorn"}
    assert set() == foreign & set(said.stdout.split())


def test_the_version_is_that_of_the_distribution() -> None:
    """`argyll --version` prints what is installed."""
    said = CliRunner().invoke(main, ["--version"])
    assert (0, f"argyll, version {importlib.metadata.version('argyll')}\n") == (said.exit_code, said.output)


def test_workers_are_ordinary_celery_workers() -> None:
    """Solo pools serve `steps`; a thread pool serves `work` and `beat`; every node has a name of its own."""
    children = worker_children(EngineConfig(work_threads=7), Fleet(steps=2, work=1, node="box"))
    said = {child.name: " ".join(child.argv[child.argv.index("-n") + 1 :]) for child in children}
    lean = "--without-gossip --without-mingle -l info"
    assert {
        "steps1": f"steps1@box -P solo -c 1 --prefetch-multiplier 256 -Q steps {lean}",
        "steps2": f"steps2@box -P solo -c 1 --prefetch-multiplier 256 -Q steps {lean}",
        "work1": f"work1@box -P threads -c 7 -Q work,beat {lean}",
    } == said


@pytest.mark.parametrize(("level", "celerys"), [("debug", "debug"), ("warn", "warning"), ("error", "error")])
def test_workers_log_at_the_level_of_the_engine(level: str, celerys: str) -> None:
    """Celery is given the level by its own word for it."""
    (child,) = worker_children(EngineConfig(log_level=level), Fleet(steps=1, work=0))
    assert ("-l", celerys) == child.argv[-2:]


def test_flower_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra there is one line that says how to get it, and exit code 2."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = CliRunner().invoke(main, ["flower"])
    assert (2, "argyll: Flower is not installed: pip install 'argyll[flower]'\n") == (said.exit_code, said.output)


def test_workers_need_something_to_run() -> None:
    """No process of either kind is a refusal, not a supervisor that waits for nothing."""
    said = CliRunner().invoke(main, ["worker", "--steps", "0", "--work", "0"])
    assert (2, "argyll: --steps 0 and --work 0: nothing to run\n") == (said.exit_code, said.output)


def test_the_tree_has_what_the_distribution_names() -> None:
    """Pins, marks of typing and the licence are where setup.cfg and the Makefile look for them."""
    root = Path(__file__).parents[2]
    names = ("LICENSE", "requirements/base.txt", "requirements/test.txt", "requirements/dev.txt")
    marks = tuple(f"{package}/py.typed" for package in ("argyll_engine", "argyll_api"))
    assert [] == [name for name in names + marks if not (root / name).exists()]


def test_each_archiver_process_serves_its_queue_alone() -> None:
    """By a name of its own, with the app that has the tasks of archiving."""
    first, second = archiver_children(Served(config=EngineConfig(), environment={}), 2, "box")
    assert ("archiver", "archiver2") == (first.name, second.name)
    assert {"argyll_archiver.worker:app", "archiver@box", "archive"} <= set(first.argv)


def test_an_archiver_without_a_target_is_refused() -> None:
    """With the name of the variable, before anything is opened; and so is one of a kind that is not known."""
    runner = CliRunner(env={"ARCHIVE_BUCKET_URL": ""})
    refused = runner.invoke(main, ["archiver"])
    assert (2, True) == (refused.exit_code, "ARCHIVE_BUCKET_URL is not set" in refused.output)
    other = runner.invoke(main, ["archiver"], env={"ARCHIVE_BUCKET_URL": "gs://flows"})
    assert (2, True) == (other.exit_code, "scheme 'gs' is not supported" in other.output)
