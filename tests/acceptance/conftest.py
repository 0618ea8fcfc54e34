# SPDX-License-Identifier: Apache-2.0
"""A whole Argyll for all tests of a run, an empty catalog and a step service for each."""

from collections.abc import Iterator

import pytest

from tests.acceptance.client import Client
from tests.acceptance.services import StepServices, running
from tests.acceptance.stack import Stack


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis, API, workers and beat, with short recovery times."""
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def stack(shared_stack: Stack) -> Stack:
    """The same, with all its parts running, no steps, and nothing left of workers that were killed."""
    shared_stack.mend()
    shared_stack.forget_deliveries()
    shared_stack.client.forget_steps()
    return shared_stack


@pytest.fixture
def client(stack: Stack) -> Client:
    """The API of the stack."""
    return stack.client


@pytest.fixture
def services() -> Iterator[StepServices]:
    """A step service of this test's own."""
    with running() as services:
        yield services
