# SPDX-License-Identifier: Apache-2.0
"""Calls of steps, many at once: claimed together, waiting without a thread, recorded together.

One thread records. It takes whatever has come while it was at it, new orders and ends of calls alike: one pipeline
loads flows, another commits. Under load a commit so carries dozens, and alone a result is committed at once.
Fed by the tasks; the calls themselves are in `invoke/`. What runs a single message is `work_runner.py`.

Long because a call has three ends, each of which something may interrupt, and one thread sees to all of them.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from msgspec.structs import replace

from argyll_engine import log as logs
from argyll_engine.errors import NotFoundError, TransientError
from argyll_engine.executor import Done, Executor, Request
from argyll_engine.held_work import HeldWork
from argyll_engine.memo import Memoization
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.model.invocation import Accepted, Outcome
from argyll_engine.patience import Patience
from argyll_engine.policy.work import FIRST_ATTEMPT, effective_inputs
from argyll_engine.ports import CallClient, Claim
from argyll_engine.projections import Projections
from argyll_engine.script_runner import Fate
from argyll_engine.wanted_states import wanted_states
from argyll_engine.work_order import WorkOrder, report, webhook_url

THREAD_NAME: Final = "argyll-recorder"

Ended: TypeAlias = Callable[[Sequence[tuple[WorkOrder, Fate]]], None]
"""Hears of orders that have come to an end, in the thread that records; must not raise."""
Crash: TypeAlias = Callable[[WorkOrder, Exception], None]
"""Ends an attempt that could not be run, and says why in the flow. Raises StoreUnavailableError."""

_Key: TypeAlias = tuple[FlowID, StepID, Token, int]

log = logs.get(__name__)


@dataclass(slots=True, eq=False)
class _Call:
    """An order on its way. `outcome` is None until the call has ended; `request` is what to record next.

    `is_asked` once a request of it may have been recorded.
    """

    order: WorkOrder
    ended: Ended
    outcome: Outcome | Exception | None = None
    request: Request | None = None
    is_asked: bool = False

    @property
    def is_to_begin(self) -> bool:
        """Whether its call has not ended, so that it was not made yet when it comes to be recorded."""
        return self.outcome is None

    @property
    def key(self) -> _Key:
        """The attempt, of which there may be several messages."""
        return self.order.flow_id, self.order.step_id, self.order.token, self.order.attempt


_Answer: TypeAlias = Done[FlowState] | Exception
_Fates: TypeAlias = list[tuple[_Call, Fate | None]]
"""None for what is being called now."""


class CallRunner:
    """What a worker does with steps that it calls and waits for.

    Args:
        worker_id: the name under which this process holds work.
        held: what keeps work of unhealthy steps.
        memo: what remembers the results of memoizable steps.
        clients: a client for each type of step that is called; an order for another type runs alone.
        webhook_base_url: where asynchronous steps send their outcome.
        crash: records what is no outcome of a step.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        flows: Executor[FlowState],
        projections: Projections[FlowState],
        held: HeldWork,
        memo: Memoization,
        clients: Mapping[str, CallClient],
        webhook_base_url: str,
        crash: Crash,
    ) -> None:
        self._worker_id = worker_id
        self._flows = flows
        self._projections = projections
        self._held = held
        self._memo = memo
        self._clients = clients
        self._webhook_base_url = webhook_base_url
        self._crash = crash
        self._patience = Patience()
        self._inbox: SimpleQueue[list[_Call] | None] = SimpleQueue()
        self._running: set[_Key] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, orders: Sequence[WorkOrder], ended: Ended) -> None:
        """Run these orders; returns at once."""
        with self._lock:
            if self._patience.is_over:
                ended([(order, Fate.LEFT) for order in orders])
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._record, name=THREAD_NAME, daemon=True)
                self._thread.start()
            self._inbox.put([_Call(order, ended) for order in orders])

    def stop(self, **_signal: object) -> None:
        """Begin nothing more, and let whoever waits for the store give up now."""
        self._patience.end()

    def finish(self) -> None:
        """Stop, and wait until all calls that are under way have ended and are recorded."""
        self.stop()
        with self._lock:
            thread = self._thread
        if thread is not None:
            self._inbox.put(None)
            thread.join()

    # ---- the thread that records ----

    def _record(self) -> None:
        is_last = False
        while not (is_last and not self._running and self._inbox.empty()):
            gathered = self._gathered()
            is_last = is_last or None in gathered
            calls = [call for group in gathered if group is not None for call in group]
            if calls:
                self._tell(self._turn(calls))

    def _gathered(self) -> list[list[_Call] | None]:
        """All that has come, at least one."""
        gathered = [self._inbox.get()]
        try:
            while True:
                gathered.append(self._inbox.get_nowait())
        except Empty:
            return gathered

    def _turn(self, calls: Sequence[_Call]) -> _Fates:
        """The fates of those that are through; of the others we hear again."""
        fates: _Fates = []
        try:
            self._carry_on(calls, fates)
        except TransientError:  # the worker stops, and nobody knows what was recorded: others will find out
            return [(call, Fate.LEFT) for call in calls]
        except Exception as exc:  # this thread must live, and no claim may stay that nobody ends
            log.exception("batch_failed", orders=len(calls))
            through = {call for call, _ in fates}
            for call in (call for call in calls if call not in through):
                if call.is_to_begin and call.key in self._running:
                    fates.append((call, Fate.DONE))
                elif call.is_to_begin and not call.is_asked:  # nobody has claimed it
                    fates.append((call, Fate.ALONE))
                else:
                    fates.append((call, self._record_crash(call.order, exc)))
        return fates

    def _tell(self, fates: _Fates) -> None:
        told: defaultdict[Ended, list[tuple[WorkOrder, Fate]]] = defaultdict(list)
        for call, fate in fates:
            if fate is None:
                continue
            if not call.is_to_begin:
                self._running.discard(call.key)
            told[call.ended].append((call.order, fate))
        for ended, group in told.items():
            try:
                ended(group)
            except Exception:
                log.exception("batch_members_failed", orders=len(group))

    def _carry_on(self, calls: Sequence[_Call], fates: _Fates) -> None:
        """Adds the fates of those that are through as they come to be known."""
        self._settle_ends([call for call in calls if not call.is_to_begin], fates)
        fates += self._settle_starts([call for call in calls if call.is_to_begin])
        asking = [call for call in calls if call.request is not None]
        for call in asking:
            call.is_asked = True
        answers, is_repeated = self._ask(asking) if asking else ([], False)
        for call, answer in zip(asking, answers, strict=True):
            call.request = None
            try:
                fate = self._fate(call, answer, is_repeated)
            except Exception as exc:  # noqa: BLE001 - recorded, for a claim that nobody ends holds its flow
                self._running.discard(call.key)
                fate = self._crashed(call.order, exc)
            fates.append((call, fate))

    # ---- what to record ----

    def _settle_ends(self, calls: Sequence[_Call], fates: _Fates) -> None:
        """Adds those whose end is not recorded as a result; the others get their requests."""
        for call in calls:
            if isinstance(call.outcome, Exception):
                fates.append((call, self._crashed(call.order, call.outcome)))
            elif isinstance(call.outcome, Accepted):
                # the claim of an accepted call stays until its webhook, or this worker's end
                report(call.order, call.outcome)
                fates.append((call, Fate.DONE))
            elif call.outcome is not None:
                call.request = call.order.result(call.outcome)  # the first answer counts, whichever attempt it is of

    def _settle_starts(self, calls: Sequence[_Call]) -> _Fates:
        """Those that are not to be called; the others get their requests."""
        if self._patience.is_over:
            return [(call, Fate.LEFT) for call in calls]
        if not calls:
            return []
        orders = [call.order for call in calls]
        try:
            states = self._patience.with_store(lambda: wanted_states(self._projections, orders))
        except TransientError:  # the worker stops; the ends beside these are recorded all the same
            return [(call, Fate.LEFT) for call in calls]
        except Exception:
            log.exception("batch_failed", orders=len(orders))
            return [(call, Fate.ALONE) for call in calls]
        return [
            (call, fate) for call in calls if (fate := self._obstacle(call, states.get(call.order.flow_id))) is not None
        ]

    def _obstacle(self, call: _Call, state: FlowState | None) -> Fate | None:
        """Why an order is not to be claimed now; None if it has got its request."""
        order = call.order
        step = state.plan.steps.get(order.step_id) if state else None
        if state is None or step is None or call.key in self._running or not order.is_wanted_in(state):
            log.debug("work_dropped", **order.ids, reason="another attempt was started, or there is no such work")
            return Fate.DONE
        if step.type not in self._clients:
            return Fate.ALONE
        try:
            if self._patience.with_store(lambda: self._held.keeps(state, order.step_id, order.token, order.attempt)):
                log.debug("work_dropped", **order.ids, reason="the step is unhealthy")
                return Fate.DONE
            call.request = self._start(order, state)
        except TransientError:  # as above
            return Fate.LEFT
        except Exception:  # whatever it is, it concerns this order only, and happens again when it runs alone
            log.exception("batch_member_failed", **order.ids)
            return Fate.ALONE
        return None

    def _start(self, order: WorkOrder, state: FlowState) -> Request:
        """The start is the claim; a first attempt may find that the result of the same call is known."""
        step = state.plan.steps[order.step_id]
        if order.attempt == FIRST_ATTEMPT and step.memoizable:
            found = self._memo.find(step, effective_inputs(state.executions[order.step_id], order.item(state)))
            if found is not None:
                return order.start(memo=found)
        return replace(order.start(), claim=Claim(token=order.token, worker_id=self._worker_id))

    # ---- recording ----

    def _ask(self, calls: Sequence[_Call]) -> tuple[list[_Answer], bool]:
        """What became of the requests, and whether they were sent more than once."""
        requests = [call.request for call in calls if call.request is not None]
        tries = 0

        def execute() -> Sequence[_Answer]:
            nonlocal tries
            tries += 1
            return self._flows.execute(requests)

        try:
            answers = list(self._patience.with_store(execute))
        except TransientError:
            raise
        except Exception as exc:  # whose fault it is, shows alone
            log.exception("batch_failed", orders=len(calls))
            answers = [exc] * len(calls)
            tries += 1
        for place, answer in enumerate(answers):
            if isinstance(answer, Exception) and not isinstance(answer, NotFoundError):
                answers[place] = self._ask_alone(requests[place])
        return answers, tries > 1

    def _ask_alone(self, request: Request) -> _Answer:
        try:
            return self._patience.with_store(lambda: self._flows.execute_one(request))
        except TransientError:
            raise
        except Exception as exc:  # noqa: BLE001 - it is recorded
            return exc

    def _fate(self, call: _Call, answer: _Answer, is_repeated: bool) -> Fate | None:
        """What became of an order; None if it is being called now."""
        order = call.order
        if isinstance(answer, NotFoundError):
            log.debug("work_dropped", **order.ids, reason=str(answer))
            return Fate.DONE
        if isinstance(answer, Exception):
            return self._crashed(order, answer)
        if call.outcome is not None:
            self._memo.keep(answer.state, answer.events)
            if not isinstance(call.outcome, Exception):
                report(order, call.outcome)
            return Fate.COMMITTED if answer.events else Fate.DONE
        return self._called(call, answer, is_repeated)

    def _called(self, call: _Call, answer: Done[FlowState], is_repeated: bool) -> Fate | None:
        """None once the call is under way, if the start was recorded and is ours.

        When the store went away meanwhile, the claim may have been recorded without our hearing of it. Then an attempt
        that is found running is taken for ours: nobody else would make its call while this worker lives.
        """
        order, state = call.order, answer.state
        item = order.item(state)
        is_running = order.is_running(item) and call.key not in self._running
        if not is_running or not (answer.events or is_repeated):
            log.debug("work_dropped", **order.ids, reason="it has ended, was started by another, or is not due")
            return Fate.DONE
        step = state.plan.steps[order.step_id]
        self._running.add(call.key)
        invocation = order.invocation(state, item, webhook_url(self._webhook_base_url, order, step))
        self._clients[step.type].begin(invocation, partial(self._hear, call))
        return None

    def _hear(self, call: _Call, outcome: Outcome | Exception) -> None:
        """A call has ended; in any thread."""
        call.outcome = outcome
        self._inbox.put([call])

    def _crashed(self, order: WorkOrder, exc: Exception) -> Fate:
        try:
            raise exc
        except Exception:
            log.exception("work_crashed", **order.ids)
        return self._record_crash(order, exc)

    def _record_crash(self, order: WorkOrder, exc: Exception) -> Fate:
        """End the attempt, if it is running; raises nothing."""
        try:
            self._crash(order, exc)
        except TransientError:
            return Fate.LEFT
        except Exception:
            log.exception("work_crashed", **order.ids)
        return Fate.DONE
