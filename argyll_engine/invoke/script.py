# SPDX-License-Identifier: Apache-2.0
"""Runs script steps. What the languages are, and their limits, is `scripting/`; built by `wiring.py`."""

from argyll_engine.errors import ScriptError
from argyll_engine.model.invocation import Failed, Invocation, Outcome, Succeeded
from argyll_engine.ports import ScriptEngine


class ScriptStepClient:
    """Implements `ports.StepClient` for steps of type `script`."""

    def __init__(self, scripts: ScriptEngine) -> None:
        self._scripts = scripts

    def invoke(self, invocation: Invocation) -> Outcome:
        """The outputs of the script, or its failure, which is always for good.

        Source: the contract, execution §3.4.
        """
        step = invocation.step
        if step.script is None:
            return Failed(error="step has no script")
        try:
            outputs = self._scripts.run(step.script, step.argument_names(), invocation.arguments)
        except ScriptError as exc:
            return Failed(error=str(exc))
        return Succeeded(outputs=outputs)
