# SPDX-License-Identifier: Apache-2.0
"""`Client.flows`: starting, reading, listing and following flows. Source: the contract, http §1.7."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from math import ceil
from typing import Any, Final

from argyll_api.client.answers import Event, Flow, FlowItem, FlowPage, FlowStatus, StartResult, events_of
from argyll_api.client.transport import Request, Transport
from argyll_api.client.watch import Watch

FLOWS: Final = "/engine/flow"
FLOW: Final = "/engine/flow/{}"
BATCHES: Final = "/engine/flows"
LAST_EVENT: Final = "flow_deactivated"
END_EVENTS: Final = ("flow_completed", "flow_failed")
PAGE_SIZE: Final = 200
ENDED: Final = 200
"""Status of the answer to a start that has waited for the end; else it is 201."""

STARTS_AT_ONCE: Final = 1_000
"""As many flows as one request may start."""

WAIT_SECONDS: Final = 30.0
"""How long one request waits at the engine; proxies often allow twice as much."""


class Candidates(tuple[Any, ...]):
    """Several initial values of one attribute, in the order in which they are tried."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowQuery:
    """Which flows to list: those that match all of it. Active ones come first, then the latest.

    Args:
        statuses: Any of these; none for all.
        id_prefix: How ids begin.
        labels: Labels that they carry.
        limit: How many on a page; 0 for all on one.
        newest_first: The latest first, else the oldest.
        cursor: Of the page before.
        archived: True for archived flows only, False for none of them, None for all.
    """

    statuses: Sequence[str] = ()
    id_prefix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int = PAGE_SIZE
    newest_first: bool = True
    cursor: str = ""
    archived: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        sort = "recent_desc" if self.newest_first else "recent_asc"
        filters = {"statuses": list(self.statuses), "id_prefix": self.id_prefix, "labels": dict(self.labels)}
        place = {"limit": self.limit, "sort": sort} | ({"cursor": self.cursor} if self.cursor else {})
        return filters | place | ({} if self.archived is None else {"archived": self.archived})


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A flow to be started among many.

    Args:
        flow_id: The id.
        goals: Steps to reach.
        init: One value by name, or `Candidates`.
        labels: To find it by.
    """

    flow_id: str
    goals: Sequence[str]
    init: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        goals, labels = list(self.goals), dict(self.labels)
        return {"id": self.flow_id, "goals": goals, "init": sent_init(self.init), "labels": labels}


_EVERYTHING: Final = FlowQuery()


class Flows:
    """The flows of an engine. Every method may raise a `ClientError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # ---- starting ------------------------------------------------------------------------------

    def start(
        self,
        flow_id: str,
        goals: Sequence[str],
        init: Mapping[str, Any] | None = None,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """The id of a flow, as the engine has cleaned it, once it has started; the same start again changes nothing.

        Args:
            flow_id: The id.
            goals: Steps to reach.
            init: One value by name, or `Candidates`.
            labels: To find it by.

        Raises:
            ConflictError: There is another flow of that id.
            NotFoundError: A goal is not registered.
            InvalidError: Something is wrong, or missing in `init`.
        """
        request = _start_request(flow_id, goals, init, labels)
        return self._transport.read(request, _flow_id)

    def start_many(self, starts: Iterable[Start]) -> Iterator[StartResult]:
        """What becomes of each start, in order; a thousand go with one request, which is made as they are used.

        A start that is refused stops no other, and the same starts again change nothing.

        Raises:
            UnavailableError: From here on nothing was answered; some flows may have started.
        """
        left = iter(starts)
        while together := list(islice(left, STARTS_AT_ONCE)):
            yield from self._transport.read(_starts_request(together), _results)

    def run(
        self,
        flow_id: str,
        goals: Sequence[str],
        init: Mapping[str, Any] | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Flow:
        """The state of a flow that is started and waited for; completed or failed, `status` says which.

        Raises:
            NotInTimeError: It has not ended in time. It goes on; `wait` or the same call again waits on.
        """
        ends_at = _end_of(timeout_seconds)
        seconds = WAIT_SECONDS if timeout_seconds is None else min(WAIT_SECONDS, timeout_seconds)
        request = _start_request(flow_id, goals, init, labels, wait_seconds=max(0.0, seconds))
        reply = self._transport.ask(request)
        if reply.status == ENDED:
            return self._transport.understand(request, reply.json, Flow.from_json)
        return self._wait(self._transport.understand(request, reply.json, _flow_id), ends_at)

    # ---- one flow ------------------------------------------------------------------------------

    def get(self, flow_id: str) -> Flow:
        """The state of a flow. Raises NotFoundError."""
        return self._transport.read(Request(method="GET", path=FLOW, ids=(flow_id,)), Flow.from_json)

    def status(self, flow_id: str) -> FlowStatus:
        """The status of a flow that stays active until nothing of it runs any more. Raises NotFoundError."""
        request = Request(method="GET", path=FLOW + "/status", ids=(flow_id,))
        return self._transport.read(request, lambda said: FlowStatus(said["status"]))

    def events(self, flow_id: str) -> tuple[Event, ...]:
        """All that has happened to a flow, in order. Raises NotFoundError."""
        return self._transport.read(Request(method="GET", path=FLOW + "/events", ids=(flow_id,)), events_of)

    def wait(self, flow_id: str, timeout_seconds: float | None = None) -> Flow:
        """The state of a flow as soon as it is completed or failed.

        Raises:
            NotInTimeError: It has not ended in time.
            NotFoundError: There is no such flow.
        """
        flow = self.get(flow_id)
        return flow if flow.has_ended else self._wait(flow_id, _end_of(timeout_seconds))

    def _wait(self, flow_id: str, ends_at: float | None) -> Flow:
        with closing(self._watch(flow_id, ends_at, END_EVENTS).signs()) as signs:
            return next(flow for flow in (self.get(flow_id) for _ in signs) if flow.has_ended)

    def follow(self, flow_id: str, *, after: int = -1, timeout_seconds: float | None = None) -> Iterator[Event]:
        """Each event of a flow once, in order, as it happens, up to the last one.

        A connection that breaks is made again, and what was missed is read from the log.

        Args:
            flow_id: The flow.
            after: Sequence of the last event that is known already; -1 for none.
            timeout_seconds: For all of it; None for as long as it takes.

        Raises:
            NotInTimeError: The time is over.
            NotFoundError: There is no such flow.
        """
        with closing(self._watch(flow_id, _end_of(timeout_seconds)).signs()) as signs:
            for sign in signs:
                # A beginning, or a sign beyond the next event: the log has what is missing.
                is_next = sign is not None and sign.sequence <= after + 1
                for event in (sign,) if sign is not None and is_next else self.events(flow_id):
                    if event.sequence > after:
                        after = event.sequence
                        yield event
                    if event.type == LAST_EVENT:
                        return

    def _watch(self, flow_id: str, ends_at: float | None, types: Sequence[str] = ()) -> Watch:
        transport = self._transport
        return Watch(base=transport.base, flow_id=flow_id, types=types, retries=transport.retries, ends_at=ends_at)

    # ---- the archive ---------------------------------------------------------------------------

    def restore(self, flow_id: str) -> int:
        """How many flows came back from the archive, children included; 0 where none of them was there.

        Raises:
            NotFoundError: There is no such flow.
            UnavailableError: The archive is away.
        """
        request = Request(method="POST", path=FLOW + "/restore", ids=(flow_id,))
        return self._transport.read(request, lambda said: int(said["restored"]))

    def erase(self, flow_id: str, reason: str = "") -> int:
        """How many flows were erased everywhere, children included; `reason` is for the audit log.

        Raises:
            NotFoundError: There is no such flow, or no more: an answer may have been lost on the way.
            ConflictError: It is not deactivated.
            UnavailableError: The archive is away; ask again.
        """
        request = Request(method="POST", path=FLOW + "/erase", ids=(flow_id,), body={"reason": reason})
        return self._transport.read(request, lambda said: int(said["erased"]))

    # ---- lists ---------------------------------------------------------------------------------

    def list(self) -> tuple[FlowItem, ...]:
        """Every flow but children of others: active ones first, then the latest."""
        request = Request(method="GET", path=FLOWS)
        return self._transport.read(request, lambda said: tuple(map(FlowItem.from_json, said)))

    def query(self, query: FlowQuery = _EVERYTHING) -> Iterator[FlowItem]:
        """The flows that match, page after page as they are used."""
        page = self.page(query)
        yield from page.items
        while page.next_cursor:
            page = self.page(replace(query, cursor=page.next_cursor))
            yield from page.items

    def page(self, query: FlowQuery = _EVERYTHING) -> FlowPage:
        """One page of the flows that match."""
        request = Request(method="POST", path=FLOWS + "/query", body=query.to_json())
        return self._transport.read(request, FlowPage.from_json)


def sent_init(init: Mapping[str, Any] | None) -> dict[str, list[Any]]:
    """Initial values as they are sent: lists of candidates."""
    return {name: list(value) if isinstance(value, Candidates) else [value] for name, value in (init or {}).items()}


def _start_request(
    flow_id: str,
    goals: Sequence[str],
    init: Mapping[str, Any] | None,
    labels: Mapping[str, str] | None,
    wait_seconds: float = 0.0,
) -> Request:
    body = Start(flow_id=flow_id, goals=goals, init=init or {}, labels=labels or {}).to_json()
    query = f"?wait={ceil(wait_seconds * 1000)}ms" if wait_seconds else ""
    return Request(method="POST", path=FLOWS + query, body=body, extra_seconds=wait_seconds)


def _starts_request(starts: Sequence[Start]) -> Request:
    return Request(method="POST", path=BATCHES, body={"flows": [start.to_json() for start in starts]})


def _results(answer: Mapping[str, Any]) -> tuple[StartResult, ...]:
    return tuple(map(StartResult.from_json, answer["flows"]))


def _flow_id(answer: Mapping[str, Any]) -> str:
    return str(answer["flow_id"])


def _end_of(timeout_seconds: float | None) -> float | None:
    return None if timeout_seconds is None else time.monotonic() + timeout_seconds
