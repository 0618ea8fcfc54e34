# SPDX-License-Identifier: Apache-2.0
"""What archiving asks of a store of objects. No implementation lives here.

Every method raises ArchiveUnavailableError when the store does not answer or refuses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEntry:
    """One row of a listing."""

    key: str
    size_bytes: int


class Sink(Protocol):
    """Objects by key; `tests/contract/test_sinks.py` says what each kind has to keep."""

    def put(self, key: str, body: bytes) -> bool:
        """Keep an object, durably and as a whole or not at all; one that is there is replaced.

        Returns:
            Whether the store has said by a checksum that what it keeps is this body. Otherwise read it back.
        """

    def get(self, key: str) -> bytes | None:
        """The whole object, read from the store; None if there is none."""

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        """The objects whose keys begin so and come after a key, in the order of their keys; read as it goes on."""

    def delete(self, key: str) -> None:
        """Forget an object; one that is not there is no error."""
