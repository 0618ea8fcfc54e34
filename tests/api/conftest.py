# SPDX-License-Identifier: Apache-2.0
"""A Flask client over an engine that records what the edge asks of it."""

import pytest

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from tests.api.recording_engine import RecordingEngine


@pytest.fixture
def engine():
    """The engine behind the client."""
    return RecordingEngine()


@pytest.fixture
def api(engine):
    """The client."""
    return create_app(ApiConfig(), engine).test_client()
