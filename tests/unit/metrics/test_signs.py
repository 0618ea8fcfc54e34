# SPDX-License-Identifier: Apache-2.0
"""Signs of life as files."""

import os
from pathlib import Path

from argyll_engine.metrics.signs import Sign, path_of, processes, read_sign, write_sign


def test_a_sign_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Name, process, what changes, and the trouble in words."""
    write_sign(str(tmp_path), "steps1", "41", "takes nothing\nfor long")
    expected = Sign(name="steps1", pid=os.getpid(), beat="41", trouble="takes nothing\nfor long")
    assert expected == read_sign(path_of(str(tmp_path), "steps1"))


def test_no_file_is_no_sign(tmp_path: Path) -> None:
    """Neither is a file of something else."""
    (tmp_path / "odd.sign").write_text("hello")
    assert (None, None) == (read_sign(tmp_path / "none.sign"), read_sign(tmp_path / "odd.sign"))


def test_processes_are_those_that_signed_and_live(tmp_path: Path) -> None:
    """This one has signed as `work1`; one that is gone is left out."""
    write_sign(str(tmp_path), "work1", "1")
    (tmp_path / "gone.sign").write_text(f"{2**22 + 1}\n1\n")
    assert ["work1"] == [process.name for process in processes(str(tmp_path), "api")]


def test_who_has_not_signed_shows_itself(tmp_path: Path) -> None:
    """A process alone, and one that serves the page for others."""
    assert ["api"] == [process.name for process in processes("", "api")]
    assert ["supervisor"] == [process.name for process in processes(str(tmp_path), "supervisor")]
