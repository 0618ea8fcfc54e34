# SPDX-License-Identifier: Apache-2.0
"""What an archiver looks at by itself, and how often."""

import pytest

from argyll_archiver.watch import NEAR_SECONDS, Watch
from tests.unit.archiver.archiving import Archiving


def test_memory_that_fills_up_between_two_checks_is_relieved() -> None:
    """However far from the threshold it was when somebody asked last."""
    archiving = Archiving()
    archiving.end("a")
    archiving.fill_memory(40)
    assert 0 == archiving.archiver.check_memory()
    archiving.fill_memory(85)
    Watch(archiving.archiver, 10.0).look()
    assert archiving.archived_log("a") is not None


@pytest.mark.parametrize(("percent", "pause"), [(40, 10.0), (60, NEAR_SECONDS)])
def test_memory_near_the_threshold_is_looked_at_often(percent: int, pause: float) -> None:
    """From thirty points below it on."""
    archiving = Archiving()
    archiving.archiver.check_memory()
    archiving.fill_memory(percent)
    watch = Watch(archiving.archiver, 10.0)
    watch.look()
    assert pause == watch.pause_seconds
