# SPDX-License-Identifier: Apache-2.0
"""The system's clock behind the port."""

from datetime import UTC, datetime


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Now, aware and in UTC."""
        return datetime.now(UTC)
