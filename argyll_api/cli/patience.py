# SPDX-License-Identifier: Apache-2.0
"""Whether a child has shown a sign of life lately: its file changes for as long as it gets somewhere.

Called by `supervisor.py` on every turn of its loop. It counts only time in which it looked itself, so that neither a
machine that slept nor a supervisor that was halted makes a child look stuck.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from argyll_engine.metrics.signs import Sign, read_sign

LOOK_EVERY_SECONDS: Final = 0.5
LONGEST_LOOK_SECONDS: Final = 2.0
"""What one look can count at most."""
START_SECONDS: Final = 120.0
"""How long a process may take until its first sign; a busy machine needs long to load Python."""


class Patience:
    """Waits for signs of one child.

    Args:
        path: the file that it writes.
        patience_seconds: how long it may stay the same.
        clock: seconds that only grow.
    """

    def __init__(self, path: Path, patience_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._looked_at = clock()
        self._sign: Sign | None = None
        self._silent_seconds = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether there was no first sign yet, or none for half of the patience."""
        return self._sign is None or self._silent_seconds > self._patience_seconds / 2

    def begin(self) -> None:
        """A new process is about to start: forget what the last one has said."""
        self.path.unlink(missing_ok=True)
        self._sign, self._silent_seconds, self._looked_at = None, 0.0, self._clock()

    def complaint(self) -> str:
        """Why the child must be started again; empty while it need not."""
        now = self._clock()
        if now - self._looked_at < LOOK_EVERY_SECONDS:
            return ""
        self._silent_seconds += min(now - self._looked_at, LONGEST_LOOK_SECONDS)
        self._looked_at = now
        sign = read_sign(self.path)
        if sign != self._sign and sign is not None:
            self._sign, self._silent_seconds = sign, 0.0
        if sign is not None and sign.trouble:
            return sign.trouble
        patience = START_SECONDS if sign is None else self._patience_seconds
        return f"no sign of life for {self._silent_seconds:.0f} s" if self._silent_seconds > patience else ""
