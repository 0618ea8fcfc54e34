# SPDX-License-Identifier: Apache-2.0
"""The sink of a target: the one place that knows all kinds. A new kind is a file here and a case below."""

from argyll_archiver.sinks.file import FileSink
from argyll_archiver.sinks.port import Sink
from argyll_archiver.target import FileTarget, Target


def open_sink(target: Target) -> Sink:
    """The store of objects that a target names. Raises ArchiveUnavailableError if its settings cannot be used."""
    if isinstance(target, FileTarget):
        return FileSink(target)
    # boto3 takes longer to load than all of ours, and every process of the API can read archives
    from argyll_archiver.sinks.s3 import S3Sink

    return S3Sink(target)
