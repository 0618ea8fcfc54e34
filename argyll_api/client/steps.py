# SPDX-License-Identifier: Apache-2.0
"""`Client.steps`: registering, updating, reading and removing steps. Source: the contract, http §1.6."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from argyll_api.client.answers import Registration
from argyll_api.client.definitions import Step
from argyll_api.client.errors import ConflictError, NotFoundError
from argyll_api.client.transport import Request, Transport

STEPS: Final = "/engine/step"
STEP: Final = "/engine/step/{}"

Definition: TypeAlias = Step | Mapping[str, Any]
"""A step, or its JSON object."""


class Steps:
    """The steps of an engine. Every method may raise a `ClientError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(self, step: Definition) -> Registration:
        """The step, once it is registered; the same again changes nothing.

        Raises:
            ConflictError: There is another step of that id.
            InvalidError: The definition is wrong.
        """
        request = Request(method="POST", path=STEPS, body=_sent(step))
        return self._transport.read(request, Registration.from_json)

    def update(self, step: Definition) -> Registration:
        """The step, once it has replaced the one of its id. Raises NotFoundError."""
        body = _sent(step)
        request = Request(method="PUT", path=STEP, ids=(str(body.get("id", "")),), body=body)
        return self._transport.read(request, Registration.from_json)

    def put(self, step: Definition) -> Registration:
        """The step, once it is what is registered under its id, whatever was before."""
        with suppress(ConflictError):
            return self.register(step)
        try:
            return self.update(step)
        except NotFoundError:  # somebody has removed it in between
            return self.register(step)

    def get(self, step_id: str) -> Step:
        """A step as it is stored, with the engine's defaults. Raises NotFoundError."""
        return self._transport.read(Request(method="GET", path=STEP, ids=(step_id,)), Step.from_json)

    def list(self) -> tuple[Step, ...]:
        """Every step."""
        request = Request(method="GET", path=STEPS)
        return self._transport.read(request, lambda said: tuple(map(Step.from_json, said["steps"] or ())))

    def unregister(self, step_id: str) -> None:
        """Remove a step; flows that have it in their plans go on. Raises NotFoundError."""
        try:
            self._transport.ask(Request(method="DELETE", path=STEP, ids=(step_id,)))
        except NotFoundError as exc:
            if exc.tries == 1:
                raise
            # An earlier try has removed it, and its answer was lost.


def _sent(step: Definition) -> Mapping[str, Any]:
    return step.to_json() if isinstance(step, Step) else step
