# SPDX-License-Identifier: Apache-2.0
"""The archive for those who mostly never ask it: opened late, and once."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from argyll_archiver.reader import ArchiveReader
from argyll_archiver.record import make_object
from argyll_archiver.target import FileTarget
from argyll_engine.errors import ArchiveUnavailableError
from argyll_engine.model.digest import FlowDigest, ObjectPlace
from tests.unit.archiver.flows import F, an_ended_flow, log_of

LOADS = "import argyll_archiver.wiring, sys; sys.exit('boto3' in sys.modules)"


def test_the_store_of_objects_is_opened_once(tmp_path: Path) -> None:
    """When it is first asked."""
    reader = ArchiveReader(FileTarget(directory=str(tmp_path / "none")), "p/")
    assert not (tmp_path / "none").exists()
    assert reader.sink is reader.sink


def test_only_those_who_need_it_load_the_library_for_s3() -> None:
    """Every process of the API can read archives, and most have none in S3."""
    assert 0 == subprocess.run([sys.executable, "-c", LOADS], check=False).returncode


def a_digest(key: str) -> FlowDigest:
    """Of a flow with an object under a key."""
    workshop = an_ended_flow()
    return replace(make_object(F, log_of(workshop)).digest, object_key=key)


def test_a_former_object_is_deleted_where_it_is(tmp_path: Path) -> None:
    """Objects go elsewhere by now."""
    former = ArchiveReader(FileTarget(directory=str(tmp_path / "a")), "p/")
    now = ArchiveReader(FileTarget(directory=str(tmp_path / "b")), "q/")
    for reader in (former, now):
        reader.sink.put("p/x", b"1")
    now.delete_former(former.place(a_digest("p/x")))
    assert (None, b"1") == (former.sink.get("p/x"), now.sink.get("p/x"))
    now.delete_former(now.place(a_digest("p/x")))
    assert now.sink.get("p/x") is None


def test_a_former_place_that_nobody_knows_is_no_success(tmp_path: Path) -> None:
    """Its object may still be there."""
    reader = ArchiveReader(FileTarget(directory=str(tmp_path)), "p/")
    with pytest.raises(ArchiveUnavailableError, match="gs://b"):
        reader.delete_former(ObjectPlace(target="gs://b", key="x"))
