# SPDX-License-Identifier: Apache-2.0
"""Scripts inside step definitions: languages, sandboxes, and what the engine makes of their results.

`registry.py` is the port `ScriptEngine` over all languages; each language has a file (or a folder) of its own and
knows nothing of flows. Only `wiring.py` and the composition roots build a registry.
"""

from argyll_engine.scripting.registry import ScriptRegistry

__all__ = ["ScriptRegistry"]
