# SPDX-License-Identifier: Apache-2.0
"""The folder in which the processes of one command count."""

import os
import tempfile
from pathlib import Path

import pytest

from argyll_api.cli import metrics_folder as under_test
from argyll_api.cli.metrics_folder import metrics_folder
from argyll_engine.log import fields_of
from argyll_engine.metrics.signs import FOLDER_VARIABLE


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are made here."""
    monkeypatch.setattr(under_test, "IN_MEMORY", str(tmp_path))


def test_the_folder_is_named_in_the_environment_and_goes_at_the_end(tmp_path: Path) -> None:
    """Children inherit its name."""
    with metrics_folder() as folder:
        assert (folder, True) == (os.environ[FOLDER_VARIABLE], Path(folder).is_dir())
        assert tmp_path == Path(folder).parent
    assert (False, []) == (FOLDER_VARIABLE in os.environ, list(tmp_path.iterdir()))


def test_what_a_killed_command_has_left_is_removed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    """Nobody holds the lock of the one, somebody that of the other."""
    left = tmp_path / "argyll-metrics-left"
    left.mkdir()
    (left / "counter_1.db").write_bytes(b"")
    with metrics_folder() as first, metrics_folder() as second:
        assert (False, True, True) == (left.exists(), Path(first).exists(), Path(second).exists())


def test_without_a_place_there_is_no_folder(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Processes count for themselves then, and nobody notices one that hangs: a line says both."""
    monkeypatch.setattr(under_test, "IN_MEMORY", "/nowhere")
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with metrics_folder() as folder:
        assert ("", False) == (folder, FOLDER_VARIABLE in os.environ)
    (line,) = caplog.records
    assert ("metrics_not_shared", True) == (line.message, "hang" in str(fields_of(line)["effect"]))
