# SPDX-License-Identifier: Apache-2.0
"""A process of the deployment as it tells of itself. Asking is `tasks/about.py`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessAbout:
    """A worker process: its version, the queues it serves, and its clock's lead over the asker's."""

    name: str
    version: str
    queues: tuple[str, ...]
    skew_seconds: float
