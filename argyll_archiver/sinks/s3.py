# SPDX-License-Identifier: Apache-2.0
"""Objects in a bucket of any store that speaks S3: the only import of boto3.

The client tries throttled and failed requests again by itself, with backoff; what is left is an
ArchiveUnavailableError. Small objects go a shorter way first (`quick_put.py`).
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import md5
from io import BytesIO
from typing import Any, Final

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from boto3.session import Session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3 import Timeout

from argyll_archiver.sinks.port import ObjectEntry
from argyll_archiver.sinks.quick_put import QuickPut
from argyll_archiver.target import S3Target
from argyll_engine.errors import ArchiveUnavailableError

PART_BYTES: Final = 8 * 1_048_576
"""From this size on an object is sent in parts of it."""

_TRANSFER: Final = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False)
_ATTEMPTS: Final = 5
_CONNECT_TIMEOUT_SECONDS: Final = 5
_READ_TIMEOUT_SECONDS: Final = 60
_CONNECTIONS: Final = 32
_HEADERS: Final = {
    "ContentType": "Content-Type",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "StorageClass": "x-amz-storage-class",
}
"""What boto3 makes of its options. Source: Amazon S3, API reference, PutObject."""


class S3Sink:
    """Implements `Sink`. Opens no connection before it is used.

    Args:
        attempts: How often a request is made at most.
        read_timeout_seconds: How long the store may be silent within an answer.
        connections: How many are kept open, for threads that use them at the same time.
    """

    def __init__(
        self,
        target: S3Target,
        *,
        attempts: int = _ATTEMPTS,
        read_timeout_seconds: float = _READ_TIMEOUT_SECONDS,
        connections: int = _CONNECTIONS,
    ) -> None:
        self._bucket, self._is_signed = target.bucket, not target.anonymous
        self._put_options = _put_options(target)
        self._connections, self._read_timeout_seconds = connections, read_timeout_seconds
        self._quick: QuickPut | None = None
        self._has_looked = False
        with _translated(f"s3://{target.bucket}"):
            self._session = Session(profile_name=target.profile or None, region_name=target.region or None)
            self._client = _client(self._session, target, attempts, read_timeout_seconds, connections)

    def put(self, key: str, body: bytes) -> bool:
        """See Sink. A large object shows when its last part has come.

        The store checks what it gets against its MD5, and says of which bytes it keeps the MD5, unless it encrypts
        them with a key of its own or got them in parts.
        """
        if len(body) >= PART_BYTES:
            with _translated(key):
                source = BytesIO(body)
                self._client.upload_fileobj(source, self._bucket, key, ExtraArgs=self._put_options, Config=_TRANSFER)
            return False
        digest = md5(body, usedforsecurity=False)
        etag = self._put_whole(key, body, b64encode(digest.digest()).decode())
        return etag.strip('"') == digest.hexdigest()

    def _put_whole(self, key: str, body: bytes, checksum: str) -> str:
        """The ETag of an object that was sent in one request."""
        with _translated(key):
            quick = self._quick_put()
            etag = quick.put(key, body, checksum) if quick and quick.is_open else None
            if etag is not None:
                return etag
            answer = self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentMD5=checksum, **self._put_options
            )
        if quick:
            quick.note_failure()
        return str(answer.get("ETag", ""))

    def _quick_put(self) -> QuickPut | None:
        """The short way, where requests are signed; made when it is needed first, as it needs credentials."""
        if not self._has_looked:
            credentials = self._session.get_credentials() if self._is_signed else None
            self._quick = self._quick_with(credentials) if credentials else None
            self._has_looked = True
        return self._quick

    def _quick_with(self, credentials: Any) -> QuickPut:
        return QuickPut(
            self._client,
            credentials,
            self._bucket,
            connections=self._connections,
            timeout=Timeout(connect=_CONNECT_TIMEOUT_SECONDS, read=self._read_timeout_seconds),
            headers={_HEADERS[name]: value for name, value in self._put_options.items()},
        )

    def get(self, key: str) -> bytes | None:
        """See Sink."""
        with _translated(key):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            # entering the body itself would give urllib3's, with errors of its own
            with closing(answer["Body"]) as stream:
                return bytes(stream.read())

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        """See Sink. A thousand a request."""
        pages = self._client.get_paginator("list_objects_v2")
        with _translated(prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, StartAfter=after):
                for found in page.get("Contents", ()):
                    yield ObjectEntry(key=found["Key"], size_bytes=found["Size"])

    def delete(self, key: str) -> None:
        """See Sink."""
        with _translated(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)


def _client(session: Session, target: S3Target, attempts: int, read_timeout_seconds: float, connections: int) -> Any:
    """boto3 makes its clients' classes at run time, hence Any."""
    in_path = target.use_path_style or target.hostname_immutable
    config = Config(
        signature_version=UNSIGNED if target.anonymous else None,
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        use_dualstack_endpoint=target.dualstack or None,
        use_fips_endpoint=target.fips or None,
        s3={"addressing_style": "path" if in_path else "auto"},
        # stores other than Amazon's refuse checksums that they do not know; objects carry their own
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=target.endpoint or None, use_ssl=not target.disable_https, config=config)


def _put_options(target: S3Target) -> dict[str, str]:
    options = {
        "ContentType": "application/gzip",
        "ServerSideEncryption": target.ssetype,
        "SSEKMSKeyId": target.kmskeyid,
        "StorageClass": target.storage_class,
    }
    return {name: value for name, value in options.items() if value}


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as exc:
        raise ArchiveUnavailableError(key, str(exc)) from exc
