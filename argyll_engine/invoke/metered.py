# SPDX-License-Identifier: Apache-2.0
"""Step clients whose calls are timed by step. Wrap the real ones; made by wiring."""

from collections.abc import Callable
from time import perf_counter
from typing import Final

from argyll_engine.metrics import instruments as all_metrics
from argyll_engine.metrics.labels import STEP_NAMES, StepChildren
from argyll_engine.model.ids import is_canary
from argyll_engine.model.invocation import Compensation, Invocation, Outcome
from argyll_engine.ports import CallClient, CompensationClient, StepClient
from argyll_engine.progress import PROGRESS

_durations: Final = StepChildren(all_metrics.WORK_DURATION, STEP_NAMES)


class MeteredStepClient:
    """Implements `ports.StepClient` by another one."""

    def __init__(self, client: StepClient) -> None:
        self._client = client

    def invoke(self, invocation: Invocation) -> Outcome:
        """How the call ended."""
        PROGRESS.begin_call()
        started_at = perf_counter()
        try:
            outcome = self._client.invoke(invocation)
        finally:
            PROGRESS.end_call()
        if not is_canary(invocation.flow_id):
            _durations.of(invocation.step.id).observe(perf_counter() - started_at)
        return outcome


class MeteredCallClient(MeteredStepClient):
    """Implements `ports.CallClient` by another one."""

    def __init__(self, client: CallClient) -> None:
        super().__init__(client)
        self._calls = client

    def begin(self, invocation: Invocation, done: Callable[[Outcome | Exception], None]) -> None:
        """See CallClient."""
        PROGRESS.begin_call()
        started_at = perf_counter()

        def ended(outcome: Outcome | Exception) -> None:
            PROGRESS.end_call()
            if not isinstance(outcome, Exception) and not is_canary(invocation.flow_id):
                _durations.of(invocation.step.id).observe(perf_counter() - started_at)
            done(outcome)

        try:
            self._calls.begin(invocation, ended)
        except BaseException:
            PROGRESS.end_call()
            raise


class MeteredCompensationClient:
    """Implements `ports.CompensationClient` by another one; undoing is no call of the step, so it is not timed."""

    def __init__(self, client: CompensationClient) -> None:
        self._client = client

    def compensate(self, compensation: Compensation) -> Outcome:
        """How undoing ended."""
        PROGRESS.begin_call()
        try:
            return self._client.compensate(compensation)
        finally:
            PROGRESS.end_call()
