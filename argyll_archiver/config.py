# SPDX-License-Identifier: Apache-2.0
"""What the archiver can be told, as one frozen value. Nothing here reads `os.environ`; entry points hand it in.

The variables are in `argyll_engine/variables.py`, in a table of their own: `ARCHIVE_VARIABLES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argyll_archiver.target import Target, parse_target
from argyll_engine.address import redact_url
from argyll_engine.errors import ConfigError
from argyll_engine.variables import ARCHIVE_VARIABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiverConfig:
    """Everything about archiving that can be set from outside; the defaults are those of the environment.

    `target` None means that nothing is archived. `memory_percent` zero or less means always under pressure,
    above 100 never. `max_age_seconds` zero or less means that every ended flow is old enough, `retention_seconds`
    zero or less that archived flows stay for ever.
    """

    target: Target | None = None
    prefix: str = ""
    memory_percent: float = 80.0
    max_age_seconds: float = 86_400.0
    memory_check_interval_seconds: float = 5.0
    sweep_interval_seconds: float = 3_600.0
    lease_timeout_seconds: float = 900.0
    pressure_batch: int = 10
    sweep_batch: int = 100
    poll_interval_seconds: float = 0.5
    retention_seconds: float = 0.0

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "ArchiverConfig":
        """The configuration that these variables describe; an empty value counts as not set.

        Raises:
            ConfigError: With every fault at once, one line each: variable, value, what is allowed.

        Source: the contract, ops §1.4.
        """
        faults: list[str] = []
        # `Any` because the table's parsers decide the types; a test holds them against the fields
        fields: dict[str, Any] = {row.field: row.read(environment, faults) for row in ARCHIVE_VARIABLES}
        target = _target(fields.pop("bucket_url"), faults)
        if faults:
            raise ConfigError(faults)
        return cls(target=target, **fields)


def _target(url: str, faults: list[str]) -> Target | None:
    try:
        return parse_target(url) if url else None
    except ValueError as exc:
        faults.append(f"ARCHIVE_BUCKET_URL={redact_url(url)!r}: {exc}")
        return None
