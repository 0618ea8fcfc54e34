# SPDX-License-Identifier: Apache-2.0
"""The whole Argyll of the acceptance tests, an own one for what is killed here."""

from tests.acceptance.conftest import client, services, shared_stack, stack

__all__ = ["client", "services", "shared_stack", "stack"]
