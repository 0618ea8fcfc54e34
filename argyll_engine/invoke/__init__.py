# SPDX-License-Identifier: Apache-2.0
"""Calling steps: one client per kind of step, each the port `StepClient`. Nothing here decides what follows.

`http.py` calls HTTP steps and is the only HTTP client, `request.py` says what it sends, `script.py` runs script
steps. Flow steps belong here too, in a file of their own. Built by `wiring.py`, called by the workers.
"""

from argyll_engine.invoke.http import HttpStepClient
from argyll_engine.invoke.script import ScriptStepClient

__all__ = ["HttpStepClient", "ScriptStepClient"]
