# SPDX-License-Identifier: Apache-2.0
"""Fleets for the tests of this folder; each ends what it started."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.integration.transport.fleet import Fleet


@pytest.fixture
def make_fleet() -> Iterator[Callable[..., Fleet]]:
    """Makes fleets with options of the transport."""
    fleets: list[Fleet] = []
    with TemporaryDirectory(prefix="argyll-transport-") as folder:  # short: paths of sockets are limited

        def make(**options: Any) -> Fleet:
            place = Path(folder) / str(len(fleets))
            place.mkdir()
            fleets.append(Fleet(place, **options))
            return fleets[-1]

        yield make
        for fleet in fleets:
            fleet.close()


@pytest.fixture
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    """A fleet with a visibility timeout of a second."""
    return make_fleet()
