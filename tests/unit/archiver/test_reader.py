# SPDX-License-Identifier: Apache-2.0
"""The archive for those who mostly never ask it: opened late, and once."""

import subprocess
import sys
from pathlib import Path

from argyll_archiver.reader import ArchiveReader
from argyll_archiver.target import FileTarget

LOADS = "import argyll_archiver.wiring, sys; sys.exit('boto3' in sys.modules)"


def test_the_store_of_objects_is_opened_once(tmp_path: Path) -> None:
    """When it is first asked."""
    reader = ArchiveReader(FileTarget(directory=str(tmp_path / "none")), "p/")
    assert not (tmp_path / "none").exists()
    assert reader.sink is reader.sink


def test_only_those_who_need_it_load_the_library_for_s3() -> None:
    """Every process of the API can read archives, and most have none in S3."""
    assert 0 == subprocess.run([sys.executable, "-c", LOADS], check=False).returncode
