# SPDX-License-Identifier: Apache-2.0
"""The lines about failures that operators watch for, from committed events: each once, by whoever committed it.

So a failure is told alike whether a worker, a webhook or a deadline brought it. Called by the executor after commits.
"""

from collections.abc import Iterable, Sequence

from argyll_engine import log as logs
from argyll_engine.model.events import FlowFailed, Recorded, StepFailed, WorkFailed
from argyll_engine.model.flow import UNREACHABLE_ERROR, FlowState, WorkStatus

FAILURES = (FlowFailed, StepFailed, WorkFailed)

log = logs.get(__name__)


def log_failures(commits: Iterable[tuple[FlowState | None, Sequence[Recorded]]]) -> None:
    """Writes a line for each failure among these events; each come with the state of their flow after them.

    Source: the texts are those of the deployment guide's "Logs to watch".
    """
    for state, events in commits:
        for recorded in events:
            if isinstance(recorded.event, FAILURES) and state is not None:
                _log_failure(state, recorded.event)


def _log_failure(state: FlowState, event: FlowFailed | StepFailed | WorkFailed) -> None:
    match event:
        case FlowFailed(error=error):
            log.error("flow failed", flow_id=state.id, error=error)
        case WorkFailed(step_id=step_id, token=token, error=error):
            attempt = state.executions[step_id].work_items[token].attempt
            ids = {"flow_id": state.id, "step_id": step_id, "token": token, "attempt": attempt}
            log.error("step execution failed", **ids, error=error)
        case StepFailed(step_id=step_id, error=error) if error != UNREACHABLE_ERROR:
            items = state.executions[step_id].work_items.values()
            if not any(item.status is WorkStatus.FAILED for item in items):  # those have lines of their own
                log.error("step execution failed", flow_id=state.id, step_id=step_id, error=error)
