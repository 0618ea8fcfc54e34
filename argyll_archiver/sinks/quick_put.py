# SPDX-License-Identifier: Apache-2.0
"""Small objects into a bucket with a third of the work that boto3 spends on each. Called by `s3.py` only.

Address, region and credentials are those that boto3 has found, and the signature is its own. There are no retries, no
redirects and no proxies here: whatever does not go through at once is for boto3 to do in full.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, Retry, Timeout, connection_from_url
from urllib3.exceptions import HTTPError

_OK: Final = 200
_NO_RETRIES: Final = Retry(0, redirect=False, read=False)
_GLOBAL_REGION: Final = "aws-global"
_DEFAULT_REGION: Final = "us-east-1"
MOST_FAILURES: Final = 3
"""So many failures in a row, where boto3 then succeeded, say that this way is closed."""


class QuickPut:
    """Puts objects under one bucket. Threads may share it.

    Args:
        client: A client of boto3 for S3.
        credentials: Those of its session.
        timeout: Of each request.
    """

    def __init__(
        self,
        client: Any,
        credentials: Any,
        bucket: str,
        *,
        connections: int,
        timeout: Timeout,
        headers: Mapping[str, str],
    ) -> None:
        self._credentials, self._headers = credentials, dict(headers)
        region = client.meta.region_name
        self._region = _DEFAULT_REGION if region in (None, _GLOBAL_REGION) else region
        # the address of an object whose key is one letter, less that letter
        signed = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
        self._base = signed.partition("?")[0].removesuffix("k")
        self._path = urlsplit(self._base).path
        self._pool: HTTPConnectionPool = connection_from_url(
            self._base, maxsize=connections, timeout=timeout, retries=_NO_RETRIES
        )
        self._failures = MOST_FAILURES if get_environ_proxies(self._base) else 0

    @property
    def is_open(self) -> bool:
        """Whether it is worth trying."""
        return self._failures < MOST_FAILURES

    def put(self, key: str, body: bytes, checksum: str) -> str | None:
        """The ETag that the store gave to an object; None if it was not taken, for whatever reason.

        Args:
            checksum: MD5 of the body, in Base64.
        """
        place = quote(key, safe="/~")
        headers = self._headers | {"Content-MD5": checksum}
        request = AWSRequest(method="PUT", url=self._base + place, data=body, headers=headers)
        try:
            S3SigV4Auth(self._credentials.get_frozen_credentials(), "s3", self._region).add_auth(request)
            answer = self._pool.urlopen("PUT", self._path + place, body=body, headers=dict(request.headers.items()))
        except (BotoCoreError, HTTPError, OSError):
            return None
        if answer.status != _OK:
            return None
        self._failures = 0
        return str(answer.headers.get("ETag", ""))

    def note_failure(self) -> None:
        """An object was taken from boto3 that was not taken from here."""
        self._failures += 1
