# SPDX-License-Identifier: Apache-2.0
"""What the HTTP edge can be told: how much to read, when to come back, how long to wait. No environment.

Made by the entry points from the engine's configuration and handed to `app.create_app`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from argyll_engine.config import EngineConfig

MEBIBYTE: Final = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """Body limits in bytes, and seconds: for `Retry-After` while a store is away, for a start to wait for its
    flow, for a message to wait before `/readyz` fails.

    The limits of steps and starts are fixed by the contract, http §1.2; the others only keep memory bounded.
    """

    max_step_bytes: int = MEBIBYTE // 2
    max_start_bytes: int = MEBIBYTE
    max_start_batch_bytes: int = 16 * MEBIBYTE
    max_plan_bytes: int = 4 * MEBIBYTE
    max_query_bytes: int = 4 * MEBIBYTE
    max_webhook_bytes: int = 4 * MEBIBYTE
    max_trial_bytes: int = 4 * MEBIBYTE
    retry_after_seconds: int = 1
    max_wait_seconds: float = 300.0
    max_queue_age_seconds: float = 60.0

    @property
    def max_body_bytes(self) -> int:
        """The longest body that any route takes but those of `longer_bodies`."""
        return max(
            self.max_step_bytes,
            self.max_start_bytes,
            self.max_plan_bytes,
            self.max_query_bytes,
            self.max_webhook_bytes,
            self.max_trial_bytes,
        )

    @property
    def longer_bodies(self) -> Mapping[bytes, int]:
        """Paths whose bodies may be longer than all others, and how long."""
        return {b"/engine/flows": self.max_start_batch_bytes}

    @classmethod
    def from_engine(cls, config: EngineConfig) -> "ApiConfig":
        """The part of the engine's configuration that concerns the edge."""
        return cls(
            max_start_batch_bytes=config.max_start_batch_bytes,
            max_plan_bytes=config.max_plan_bytes,
            max_webhook_bytes=config.max_webhook_bytes,
            max_wait_seconds=config.max_wait_seconds,
            max_queue_age_seconds=config.ready_max_queue_age_seconds,
        )
