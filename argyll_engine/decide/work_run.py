# SPDX-License-Identifier: Apache-2.0
"""A script has run: its start and its outcome are recorded together. Source: the contract, execution §3.4; X16."""

from argyll_engine.decide.turn import Turn
from argyll_engine.decide.work_start import start_work
from argyll_engine.decide.work_stop import complete_work, fail_work
from argyll_engine.model.commands import CompleteWork, RecordRun


def record_run(turn: Turn, command: RecordRun) -> None:
    """Start the attempt if it is the next one, and end it; nothing when another attempt was started."""
    start_work(turn, command.start)
    if not turn.events:
        return
    if isinstance(command.result, CompleteWork):
        complete_work(turn, command.result)
    else:
        fail_work(turn, command.result)
