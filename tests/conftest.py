# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: a busy machine fails none of them, and none changes what others see of the log."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _root_level() -> Iterator[None]:
    """A Celery worker that runs within the process of the tests sets the level of all logs, and leaves it."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)
