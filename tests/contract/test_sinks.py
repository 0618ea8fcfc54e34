# SPDX-License-Identifier: Apache-2.0
"""What every store of objects keeps: once on a directory, once over HTTP on a server that speaks S3."""

import hmac
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from moto.server import ThreadedMotoServer

from argyll_archiver.sinks.file import FileSink
from argyll_archiver.sinks.opening import open_sink
from argyll_archiver.sinks.port import Sink
from argyll_archiver.sinks.quick_put import MOST_FAILURES
from argyll_archiver.sinks.s3 import PART_BYTES, S3Sink
from argyll_archiver.target import FileTarget, S3Target, parse_target
from argyll_engine.errors import ArchiveUnavailableError
from tests.contract.faulty_s3 import Answer, FaultyS3, an_error, an_object, cut_off, silence

_BUCKETS = count()
KEY = "archived/v1/2026-01-31/order-1:ship:t+1%2F.json.gz"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of nobody, and none from the machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A server that speaks S3, in a thread of this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str) -> str:
    """An empty bucket there, as operators write it."""
    bucket = f"flows-{next(_BUCKETS)}"
    Session(region_name="us-east-1").client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=bucket)
    return f"s3://{bucket}?region=us-east-1&endpoint={s3_endpoint}&use_path_style=true"


@pytest.fixture(params=["file", "s3"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Sink:
    """An empty store of each kind, opened from its URL."""
    url = f"file://{tmp_path}/a/b" if request.param == "file" else request.getfixturevalue("s3_url")
    return open_sink(parse_target(url))


def test_an_object_comes_back_as_it_was_put(sink: Sink) -> None:
    """Byte for byte, under a key with every character that keys have."""
    sink.put(KEY, bytes(range(256)))
    assert bytes(range(256)) == sink.get(KEY)


def test_an_object_is_replaced_as_a_whole(sink: Sink) -> None:
    """Nothing of a longer one stays behind."""
    sink.put(KEY, b"longer than the next")
    sink.put(KEY, b"short")
    assert b"short" == sink.get(KEY)


def test_an_object_that_is_not_there_is_none(sink: Sink) -> None:
    """That is no error."""
    assert None is sink.get("archived/v1/2026-01-31/nobody.json.gz")


def test_a_large_object_comes_back_whole(sink: Sink) -> None:
    """More than one part of it, in S3."""
    body = bytes(range(251)) * (2 * PART_BYTES // 251) + b"end"
    sink.put("large", body)
    assert body == sink.get("large")


# ---- files -----------------------------------------------------------------------------------


def test_files_are_where_their_keys_say(tmp_path: Path) -> None:
    """And nothing else is left beside them."""
    FileSink(FileTarget(directory=str(tmp_path))).put("v1/day/f.json.gz", b"x")
    assert ["f.json.gz"] == [path.name for path in (tmp_path / "v1" / "day").iterdir()]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the disk is full: no part of the new one, no rest of it."""
    sink = FileSink(FileTarget(directory=str(tmp_path)))
    sink.put("f", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ArchiveUnavailableError, match="No space left"):
        sink.put("f", b"new")
    assert (["f"], b"old") == ([path.name for path in tmp_path.iterdir()], sink.get("f"))


class Disk:
    """Syncs of one directory that take their time; knows which names of it would outlive a loss of power."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.syncs, self.lasting = directory, 0, frozenset[str]()
        self.errors: list[OSError] = []
        self._sync = os.fsync

    def fsync(self, descriptor: int) -> None:
        """In place of `os.fsync`; files and other directories are none of its business."""
        if os.path.samestat(os.fstat(descriptor), self.directory.stat()):
            self.syncs += 1
            names = frozenset(path.name for path in self.directory.iterdir())
            time.sleep(0.01)
            if self.errors:
                raise self.errors.pop()
            self.lasting = names
        self._sync(descriptor)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """What every sync of this process goes through."""
    made = Disk(tmp_path)
    monkeypatch.setattr("os.fsync", made.fsync)
    return made


def test_threads_share_the_syncs_of_a_directory(tmp_path: Path, disk: Disk) -> None:
    """Fewer than there are changes; and each of them lasts by the time that somebody is told of it."""
    sink = FileSink(FileTarget(directory=str(tmp_path)))

    def put_and_delete(number: int) -> tuple[bool, bool]:
        sink.put(f"{number}", b"x")
        is_put = f"{number}" in disk.lasting
        sink.delete(f"{number}")
        return is_put, f"{number}" not in disk.lasting

    with ThreadPoolExecutor(8) as threads:
        assert [(True, True)] * 40 == list(threads.map(put_and_delete, range(40)))
    assert disk.syncs < 2 * 40


def test_a_sync_that_fails_fails_for_all_who_share_it(tmp_path: Path, disk: Disk) -> None:
    """The system says it once; nobody takes it for done, and the same changes last when they are asked for again."""
    sink = FileSink(FileTarget(directory=str(tmp_path)))
    disk.errors += [OSError(5, "Input/output error"), OSError(5, "Input/output error")]

    def put(number: int) -> str:
        try:
            sink.put(f"{number}", b"x")
        except ArchiveUnavailableError as exc:
            return str(exc)
        return "lasts" if f"{number}" in disk.lasting else "does not"

    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(put, range(8)))
        failed = [number for number, said in enumerate(told) if "Input/output error" in said]
        assert (True, 8) == (len(failed) >= 2, len(failed) + told.count("lasts"))
        disk.errors.clear()
        assert ["lasts"] * len(failed) == list(threads.map(put, failed))


def test_a_delete_that_is_asked_for_again_lasts(tmp_path: Path, disk: Disk) -> None:
    """The file is gone already, but nobody knows yet whether that is on the disk."""
    sink = FileSink(FileTarget(directory=str(tmp_path)))
    sink.put("f", b"x")
    disk.errors.append(OSError(5, "Input/output error"))
    with pytest.raises(ArchiveUnavailableError):
        sink.delete("f")
    assert "f" in disk.lasting
    sink.delete("f")
    assert "f" not in disk.lasting


def test_a_new_directory_lasts_before_what_is_in_it(tmp_path: Path, disk: Disk) -> None:
    """The sync of the directory above failed; the next put makes up for it, though the directory is there."""
    sink = FileSink(FileTarget(directory=str(tmp_path)))
    disk.errors.append(OSError(5, "Input/output error"))
    with pytest.raises(ArchiveUnavailableError):
        sink.put("day/f", b"x")
    assert (["day"], frozenset()) == ([path.name for path in tmp_path.iterdir()], disk.lasting)
    sink.put("day/g", b"x")
    assert {"day"} == disk.lasting


def test_a_directory_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    """Such as an operator who moved a day elsewhere."""
    sink = FileSink(FileTarget(directory=str(tmp_path)))
    sink.put("day/f", b"x")
    shutil.rmtree(tmp_path / "day")
    sink.put("day/g", b"y")
    assert (None, b"y") == (sink.get("day/f"), sink.get("day/g"))


def test_a_directory_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    """Such as one below a file."""
    (tmp_path / "file").write_bytes(b"")
    sink = FileSink(FileTarget(directory=str(tmp_path / "file" / "below")))
    with pytest.raises(ArchiveUnavailableError):
        sink.put("f", b"x")
    with pytest.raises(ArchiveUnavailableError):
        sink.get("f")


# ---- S3 that does not do as it should --------------------------------------------------------


@pytest.fixture
def faulty() -> Iterator[FaultyS3]:
    """A server whose answers a test gives."""
    server = FaultyS3()
    yield server
    server.close()


def _impatient(server: FaultyS3, attempts: int = 1) -> S3Sink:
    target = S3Target(bucket="flows", region="us-east-1", endpoint=server.url, use_path_style=True)
    return S3Sink(target, attempts=attempts, read_timeout_seconds=0.3)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(an_error(500, "InternalError"), id="500"),
        pytest.param(an_error(503, "SlowDown"), id="503"),
        pytest.param(an_error(403, "AccessDenied"), id="403"),
        pytest.param(an_error(404, "NoSuchBucket"), id="no bucket"),
        pytest.param(silence, id="timeout"),
        pytest.param(cut_off, id="cut off"),
    ],
)
def test_a_store_that_does_not_answer_well_is_unavailable(faulty: FaultyS3, answer: Answer) -> None:
    """Never taken for an object that is not there, nor for a part of one."""
    faulty.answers = [answer] * 3
    with pytest.raises(ArchiveUnavailableError):
        _impatient(faulty).get("k")
    if answer is not cut_off:
        with pytest.raises(ArchiveUnavailableError):
            _impatient(faulty).put("k", b"x")


def test_a_throttled_request_is_made_again(faulty: FaultyS3) -> None:
    """With backoff, by the client itself."""
    faulty.answers = [an_error(503, "SlowDown"), an_object(b"whole")]
    assert b"whole" == _impatient(faulty, attempts=2).get("k")


def test_options_of_the_url_reach_the_store(faulty: FaultyS3) -> None:
    """Encryption and storage class go with every object."""
    faulty.answers = [an_object(b"")]
    url = f"s3://flows?endpoint={faulty.url}&region=r&hostname_immutable=true&ssetype=AES256&storage_class=STANDARD_IA"
    open_sink(parse_target(url)).put("k", b"x")
    (method, path, headers) = faulty.requests[0]
    assert ("PUT", "/flows/k") == (method, path)
    assert ("AES256", "STANDARD_IA") == (
        headers["x-amz-server-side-encryption"],
        headers["x-amz-storage-class"],
    )


def test_a_profile_that_is_not_there_is_named() -> None:
    """When the sink is opened, not at the first object."""
    with pytest.raises(ArchiveUnavailableError, match="nobody"):
        S3Sink(S3Target(bucket="flows", profile="nobody"))


# ---- listing and deleting --------------------------------------------------------------------


def test_objects_are_listed_in_the_order_of_their_keys(sink: Sink) -> None:
    """With their sizes; from any key on, and below any beginning of one."""
    keys = ["a/v1/2026-01-30/z", "a/v1/2026-01-31/b", "a/v1/2026-01-31/b:c", "a/v2/x", "b"]
    for key in reversed(keys):
        sink.put(key, key.encode())
    assert [(key, len(key)) for key in keys] == [(each.key, each.size_bytes) for each in sink.list("")]
    assert keys[:3] == [each.key for each in sink.list("a/v1/")]
    assert keys[2:4] == [each.key for each in sink.list("a/", after=keys[1])]
    assert keys[1:3] == [each.key for each in sink.list("a/v1/2026-01-31")]
    assert [] == list(sink.list("c/"))


def test_a_deleted_object_is_gone(sink: Sink) -> None:
    """Deleting it again is no error."""
    sink.put("x", b"1")
    sink.delete("x")
    sink.delete("x")
    assert (None, []) == (sink.get("x"), list(sink.list("")))


def test_unfinished_files_are_not_listed(tmp_path: Path) -> None:
    """What a kill leaves is no object."""
    (tmp_path / ".put-x").write_bytes(b"half")
    assert [] == list(FileSink(FileTarget(directory=str(tmp_path))).list(""))


def test_a_store_says_by_a_checksum_what_it_keeps(s3_url: str) -> None:
    """So that nothing needs to be read back, unless it came in parts."""
    sink = open_sink(parse_target(s3_url))
    assert (True, False) == (sink.put("small", b"x"), sink.put("large", bytes(PART_BYTES)))


def test_a_store_that_keeps_something_else_is_noticed(faulty: FaultyS3) -> None:
    """Its answer has the checksum of other bytes, or none."""
    faulty.answers = [an_object(b""), an_object(b"")]
    assert not _impatient(faulty).put("k", b"x")


# ---- the short way ---------------------------------------------------------------------------


def _from_boto3(headers: dict[str, str]) -> bool:
    return "boto3" in headers.get("user-agent", "").lower()


def test_an_object_that_did_not_go_through_at_once_is_sent_in_full(faulty: FaultyS3) -> None:
    """With the same key, checksum and options; boto3 goes on from there."""
    faulty.answers = [an_error(503, "SlowDown"), an_object(b"")]
    _impatient(faulty).put(KEY, b"x")
    (_, quick_path, quick), (_, path, full) = faulty.requests
    assert (False, True) == (_from_boto3(quick), _from_boto3(full))
    assert (path, full["content-md5"], full["content-type"]) == (
        quick_path,
        quick["content-md5"],
        quick["content-type"],
    )
    assert quick["authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/")


def test_a_short_way_that_is_closed_is_given_up(faulty: FaultyS3) -> None:
    """As where only boto3 knows how to reach the store."""

    def refuse_others(handler: Any) -> None:
        (an_object(b"") if _from_boto3(faulty.requests[-1][2]) else an_error(403, "AccessDenied"))(handler)

    faulty.answers = [refuse_others] * 20
    sink = _impatient(faulty)
    for number in range(MOST_FAILURES + 2):
        sink.put(f"k{number}", b"x")
    assert MOST_FAILURES + MOST_FAILURES + 2 == len(faulty.requests)


def test_objects_go_unsigned_where_nobody_signs(faulty: FaultyS3) -> None:
    """Without credentials there is no short way."""
    faulty.answers = [an_object(b"")]
    open_sink(parse_target(f"s3://flows?endpoint={faulty.url}&use_path_style=true&anonymous=true&region=r")).put(
        "k", b"x"
    )
    assert [False] == ["authorization" in headers for _, _, headers in faulty.requests]


def _signature(path: str, headers: dict[str, str], secret: str) -> str:
    """What a request that came in so should be signed with. Source: Amazon S3, API reference, Signature Version 4."""
    fields = dict(part.strip().split("=", 1) for part in headers["authorization"].partition(" ")[2].split(","))
    names = fields["SignedHeaders"].split(";")
    _, day, region, service, end = fields["Credential"].split("/")
    canonical = ["PUT", path, "", *(f"{name}:{headers[name]}" for name in names), "", ";".join(names)]
    hashed = sha256("\n".join([*canonical, headers["x-amz-content-sha256"]]).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], f"{day}/{region}/{service}/{end}", hashed])
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, end):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def test_objects_on_the_short_way_are_signed_as_the_store_expects(faulty: FaultyS3) -> None:
    """Over the path as it was sent, whatever characters the key has, and over every option."""
    faulty.answers = [an_object(b"")]
    url = f"s3://flows?endpoint={faulty.url}&region=eu-west-1&use_path_style=true&ssetype=AES256"
    open_sink(parse_target(url)).put(KEY + " ü+~", b"x")
    ((_, path, headers),) = faulty.requests
    assert not _from_boto3(headers)
    assert f"Signature={_signature(path, headers, 'testing')}" in headers["authorization"]
    assert {"content-md5", "host", "x-amz-server-side-encryption"} <= set(
        headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    )
