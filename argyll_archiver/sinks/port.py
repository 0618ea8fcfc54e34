# SPDX-License-Identifier: Apache-2.0
"""What archiving asks of a store of objects. No implementation lives here.

Every method raises ArchiveUnavailableError when the store does not answer or refuses.
"""

from typing import Protocol


class Sink(Protocol):
    """Objects by key; `tests/contract/test_sinks.py` says what each kind has to keep."""

    def put(self, key: str, body: bytes) -> None:
        """Keep an object, durably and as a whole or not at all; one that is there is replaced."""

    def get(self, key: str) -> bytes | None:
        """The whole object, read from the store; None if there is none."""
