# SPDX-License-Identifier: Apache-2.0
"""What probes and the metrics page ask for, behind one value: made by the entry point, handed to `app.create_app`.

Nothing here knows Redis; tests lay down what they like.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from argyll_engine.canary import RunsCanary
from argyll_engine.metrics.page import Page
from argyll_engine.model.vitals import Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """Where the answers come from.

    Args:
        metrics: the page of metrics as text.
        vitals: how the deployment is.
        canary: seconds that a canary flow took; None if it has not completed in time. Raises StoreUnavailableError.
    """

    metrics: Callable[[], bytes]
    vitals: Callable[[], Vitals]
    canary: Callable[[], float | None]


class LateCanary:
    """A canary that is made when it is first wanted, for most processes never run one."""

    def __init__(self, make: Callable[[], RunsCanary]) -> None:
        self._make = make
        self._lock = Lock()
        self._canary: RunsCanary | None = None

    def run(self) -> float | None:
        """Seconds that a flow took; None if it has not completed in time. Raises StoreUnavailableError."""
        with self._lock:
            self._canary = self._canary or self._make()
        return self._canary.run()


NOTHING_KNOWN: Final = Diagnostics(
    metrics=Page().text, vitals=lambda: Vitals(stores=(), workers_alive=0), canary=lambda: None
)
"""For an application without a deployment around it: its own metrics, no workers, no canary."""
