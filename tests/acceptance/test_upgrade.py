# SPDX-License-Identifier: Apache-2.0
"""A rolling upgrade: processes of an old version and of this one work side by side on the same stores."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.client import eventually, fresh_id
from tests.acceptance.part import ROOT, Part
from tests.acceptance.services import StepServices
from tests.acceptance.stack import Stack, serves
from tests.acceptance.steps import attributes, flow_step, retries, script, sync

OLD = "7d7103a"
"""The last version whose stores had no number."""
FLOWS = 30

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the old version."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", OLD, "argyll_engine", "argyll_api", "argyll_archiver"],
        capture_output=True,
        check=False,
    )
    if packed.returncode != 0:
        pytest.skip(f"the history of this tree does not have {OLD}: {packed.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that is not running yet."""
    stack = Stack(tmp_path)
    try:
        yield stack
    finally:
        stack.stop()


def _of(part: Part, tree: Path, folder: Path) -> Part:
    """The same process of another version."""
    node = ("--node", "old") if "worker" in part.argv else ()
    return Part((*part.argv, *node), part.environment | {"PYTHONPATH": str(tree)}, folder / "old.log", tree)


def _migrate(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    argv = (*stack.api.argv[:4], "migrate", *words)
    return subprocess.run(argv, env=stack.api.environment, capture_output=True, text=True, check=False, timeout=120)


def test_old_and_new_processes_share_the_work(
    stack: Stack, old_tree: Path, tmp_path: Path, services: StepServices
) -> None:
    """Flows that one version began are ended by the other, each call is made once, and no log is damaged."""
    client = stack.client
    old_api = _of(stack.api, old_tree, tmp_path)
    old_workers = [_of(part, old_tree, tmp_path) for part in stack.workers.values()]
    stack.redis.start()
    old = [old_api, *old_workers]
    try:
        for part in old:
            part.start()
        eventually("an answer of the old API", lambda: serves(client))
        services["call"].computes(lambda arguments: {"called": arguments["begun"] + 1})
        client.register(
            script("first", "return {begun = seed}", attributes(["seed"], ["begun"])),
            sync("call", services["call"].url, attributes(["begun"], ["called"]), work_config=retries(3, 50)),
            script("last", "return {ended = called * 10}", attributes(["called"], ["ended"])),
            flow_step("sub", ["last"], attributes(["seed"], ["ended"])),
        )
        early = [client.start(fresh_id("early"), ["sub"], {"seed": n}) for n in range(FLOWS)]

        assert "run `argyll migrate`" in _refusal(stack)
        assert 0 == _migrate(stack, "--dry-run").returncode
        migrated = _migrate(stack)
        assert (0, True) == (migrated.returncode, "schema 2" in migrated.stdout), migrated.stderr
        for part in (*stack.workers.values(), stack.beat):
            part.start()
        both = [client.start(fresh_id("both"), ["sub"], {"seed": n}) for n in range(FLOWS)]
        for flow_id in early + both:
            client.await_end(flow_id)

        for part in reversed(old):
            part.stop()
        stack.mend()
        late = [client.start(fresh_id("late"), ["sub"], {"seed": n}) for n in range(FLOWS)]
        ends = [client.checked_end(flow_id) for flow_id in early + both + late]
    finally:
        for part in old:
            part.stop()

    assert {"completed"} == {state["status"] for state in ends}
    assert [(n + 1) * 10 for n in range(FLOWS)] * 3 == [state["attributes"]["ended"][0]["value"] for state in ends]
    assert 3 * FLOWS == len(services["call"].tokens) == len(set(services["call"].tokens))
    assert 0 == _migrate(stack, "--again").returncode
    assert ": changed 0" in _migrate(stack, "--again").stdout


def _refusal(stack: Stack) -> str:
    """What a process of this version says of a store of the old one."""
    argv = stack.workers["steps"].argv
    said = subprocess.run(argv, env=stack.api.environment, capture_output=True, text=True, check=False, timeout=60)
    return said.stderr
