# SPDX-License-Identifier: Apache-2.0
"""Traces that keep their spans for tests to look at."""

from collections.abc import Sequence

from argyll_engine.tracing.port import Span


class RecordingTraces:
    """Implements `Traces`: `spans` are those sent, in their order."""

    def __init__(self, flags: int = 1) -> None:
        self.spans: list[Span] = []
        self._flags = flags

    def send(self, spans: Sequence[Span]) -> None:
        """Keep them."""
        self.spans += spans

    def flags(self, trace_id: int) -> int:
        """The same for every trace."""
        return self._flags
