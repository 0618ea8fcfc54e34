# SPDX-License-Identifier: Apache-2.0
"""What one run of a script may use, whatever its language, and the texts that say so when it wants more.

Each language says in its own module how it counts. Called by the language rows and by `registry.py`.
"""

from dataclasses import dataclass
from typing import Final

MEGABYTE: Final = 1_048_576

MAX_STEPS: Final = 100_000_000
"""About what the fastest language does in the default time, so a machine that is slow today fails no script by it."""

MAX_RESULT_BYTES: Final = 16 * MEGABYTE
"""As much as a step may answer over HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptLimits:
    """What one run may use.

    Args:
        timeout_ms: processor time of the thread that runs it.
        memory_mb: MiB of its values.
        max_steps: calls and elements in Ale, instructions in Lua, visited values in jpath.
        max_result_bytes: size of its result as JSON, roughly.
    """

    timeout_ms: int
    memory_mb: int
    max_steps: int = MAX_STEPS
    max_result_bytes: int = MAX_RESULT_BYTES

    @property
    def memory_bytes(self) -> int:
        """The memory limit in bytes."""
        return self.memory_mb * MEGABYTE

    @property
    def memory_refusal(self) -> str:
        """The error of a run that needs more memory."""
        return f"script exceeded its memory limit of {self.memory_mb} MB"

    @property
    def time_refusal(self) -> str:
        """The error of a run that needs more time."""
        return f"script exceeded its time limit of {self.timeout_ms} ms"

    @property
    def steps_refusal(self) -> str:
        """The error of a run that takes more steps."""
        return f"script exceeded its limit of {self.max_steps} steps"

    @property
    def result_refusal(self) -> str:
        """The error of a run whose result is too large."""
        return f"script result is larger than {self.max_result_bytes} bytes"


_WORDS: Final = (
    ("memory", "script exceeded its memory limit"),
    ("time", "script exceeded its time limit"),
    ("result", "script result is larger than"),
    ("steps", "script exceeded its limit of"),
)


def limit_of(error: str) -> str:
    """Which limit a run has met, by the text of its error: memory, time, result or steps; empty for none."""
    return next((limit for limit, words in _WORDS if words in error), "")
