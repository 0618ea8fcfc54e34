# SPDX-License-Identifier: Apache-2.0
"""Objects in a bucket of any store that speaks S3: the only import of boto3.

The client tries throttled and failed requests again by itself, with backoff; what is left is an
ArchiveUnavailableError.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from typing import Any, Final

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from boto3.session import Session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from argyll_archiver.target import S3Target
from argyll_engine.errors import ArchiveUnavailableError

PART_BYTES: Final = 8 * 1_048_576
"""From this size on an object is sent in parts of it."""

_TRANSFER: Final = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False)
_ATTEMPTS: Final = 5
_CONNECT_TIMEOUT_SECONDS: Final = 5
_READ_TIMEOUT_SECONDS: Final = 60


class S3Sink:
    """Implements `Sink`. Opens no connection before it is used.

    Args:
        attempts: How often a request is made at most.
        read_timeout_seconds: How long the store may be silent within an answer.
    """

    def __init__(
        self,
        target: S3Target,
        *,
        attempts: int = _ATTEMPTS,
        read_timeout_seconds: float = _READ_TIMEOUT_SECONDS,
    ) -> None:
        self._bucket = target.bucket
        self._put_options = _put_options(target)
        with _translated(f"s3://{target.bucket}"):
            self._client = _client(target, attempts, read_timeout_seconds)

    def put(self, key: str, body: bytes) -> None:
        """See Sink. A large object shows when its last part has come."""
        with _translated(key):
            self._client.upload_fileobj(BytesIO(body), self._bucket, key, ExtraArgs=self._put_options, Config=_TRANSFER)

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


def _client(target: S3Target, attempts: int, read_timeout_seconds: float) -> Any:
    """boto3 makes its clients' classes at run time, hence Any."""
    in_path = target.use_path_style or target.hostname_immutable
    config = Config(
        signature_version=UNSIGNED if target.anonymous else None,
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        use_dualstack_endpoint=target.dualstack or None,
        use_fips_endpoint=target.fips or None,
        s3={"addressing_style": "path" if in_path else "auto"},
        # stores other than Amazon's refuse checksums that they do not know; objects carry their own
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = Session(profile_name=target.profile or None, region_name=target.region or None)
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
