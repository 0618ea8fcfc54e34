# SPDX-License-Identifier: Apache-2.0
"""The client is light: programs that use an engine do not load one."""

import subprocess
import sys

HEAVY = ("argyll_engine", "argyll_api.app", "argyll_api.cli", "flask", "werkzeug", "celery", "redis", "marshmallow")


def test_importing_the_client_brings_in_no_engine() -> None:
    """Nor a web framework, a broker, a store or a command line."""
    code = f"import sys, argyll_api.client; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert "[]\n" == result.stdout
