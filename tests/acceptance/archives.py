# SPDX-License-Identifier: Apache-2.0
"""An archive beside a stack: an API process that reads it, and an archiver in the test that takes the flows it is told.

So no flow of another test goes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from boto3.session import Session
from moto.server import ThreadedMotoServer

from argyll_archiver.archiver import Archiver
from argyll_archiver.wiring import archiver_config, build_archiver
from argyll_engine.model.ids import FlowID
from tests.acceptance.client import Client
from tests.acceptance.stack import Stack

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
BUCKET = "flows"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlace:
    """An API that reads the archive, one that has none, and what fills it."""

    client: Client
    without_archive: Client
    archivers: Sequence[Archiver]
    variables: dict[str, str]

    def archive(self, flow_id: str) -> None:
        """Put an ended flow with its children into the archive."""
        archived = [archiver.archive(FlowID(flow_id)) for archiver in self.archivers]
        assert any(archived), f"{flow_id} was not archived"


@contextmanager
def archive_beside(stack: Stack, url: str) -> Iterator[ArchivePlace]:
    """The archive that a URL names, beside a stack that runs."""
    variables = {"ARCHIVE_BUCKET_URL": url, "ARCHIVE_PREFIX": "archived/", **CREDENTIALS}
    with pytest.MonkeyPatch.context() as environment, stack.second_api(**variables) as client:
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        numbers = range(1, len(stack.config.shards) + 1)
        archivers = [build_archiver(stack.config.of_shard(n), archiver_config(variables)) for n in numbers]
        yield ArchivePlace(client=client, without_archive=stack.client, archivers=archivers, variables=variables)


@contextmanager
def s3_url() -> Iterator[str]:
    """A bucket of a server that speaks S3, in a thread of this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    session = Session(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
    yield f"s3://{BUCKET}?region=us-east-1&endpoint={endpoint}&use_path_style=true"
    server.stop()


def file_url(folder: Path) -> str:
    """A directory."""
    return f"file://{folder}"
