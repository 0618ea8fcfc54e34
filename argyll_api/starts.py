# SPDX-License-Identifier: Apache-2.0
"""Starts of flows in front of Flask: those that are in flight together are one batch of the engine, in one thread.

Only the plain ones, see `is_plain`: no route is called more than `POST /engine/flow`, and for such a request Flask
would cost more than the engine. The route in `routes/flows.py` answers them alike, to the byte, and what nobody
foresaw is left to it. Called by `asgi.py` on the event loop.
"""

import asyncio
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Final, TypeAlias

from argyll_api.answers import JSON_TYPE, started_to_json
from argyll_api.body import as_object, parse
from argyll_api.config import ApiConfig
from argyll_api.errors import note_deferred, refusal_of
from argyll_api.exchange import Answer, Scope, header_of
from argyll_api.hooks import CORS
from argyll_api.request_id import HEADER as REQUEST_ID
from argyll_api.request_id import id_for
from argyll_api.request_metrics import count_request
from argyll_api.schemas.flow import load_start
from argyll_engine import log
from argyll_engine.codec import encode
from argyll_engine.engine import Engine
from argyll_engine.errors import ArgyllError, BrokenError, TransientError
from argyll_engine.model.start import Start

ROUTE: Final = "/engine/flow"
PATH: Final = ROUTE.encode()
MAX_PLAIN_BYTES: Final = 65_536
"""A larger body is left to Flask's threads, for reading it would hold the others up."""

MAX_BATCH: Final = 256
ENDPOINT: Final = "flows.start_flow"

_HEADERS: Final = [(name.lower().encode(), value.encode()) for name, value in CORS.items()]
_TYPE: Final = (b"content-type", JSON_TYPE.encode())
_REQUEST_ID: Final = REQUEST_ID.lower().encode()
_log = log.get(__name__)

_Waiting: TypeAlias = tuple[bytes, "asyncio.Future[Answer | None]"]


def is_plain(scope: Scope) -> bool:
    """Whether a request is a start and nothing else: without a query and without preferences, such as to wait."""
    if scope["raw_path"] != PATH or scope["method"] != "POST" or scope["query_string"]:
        return False
    return not any(name == b"prefer" for name, _ in scope["headers"])


class Starts:
    """Answers plain starts.

    Args:
        engine: Starts the flows.
        config: Limits, and when to come back.
    """

    def __init__(self, engine: Engine, config: ApiConfig) -> None:
        self._engine = engine
        self._max_bytes = min(MAX_PLAIN_BYTES, config.max_start_bytes)
        self._retry_after = (b"retry-after", str(config.retry_after_seconds).encode())
        self._requests: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="starts", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._requests.put(None)

    async def answer(self, scope: Scope, body: bytes) -> Answer | None:
        """The answer to a plain start; None for one that Flask has to answer."""
        if len(body) > self._max_bytes:
            return None
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        started_at = perf_counter()
        self._requests.put((body, future))
        answer = await future
        if answer is not None:
            count_request("POST", ROUTE, answer.status, perf_counter() - started_at)
            answer.headers.append((_REQUEST_ID, id_for(header_of(scope, _REQUEST_ID).decode("latin-1")).encode()))
        return answer

    # ---- in the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        while (first := self._requests.get()) is not None:
            batch, is_last = [first], False
            while len(batch) < MAX_BATCH and not is_last and not self._requests.empty():  # nobody else takes any
                request = self._requests.get_nowait()
                is_last = request is None
                batch.extend(() if request is None else (request,))
            try:
                answers = self._answers([body for body, _ in batch])
            except Exception as exc:  # noqa: BLE001 - this loop must live; Flask finds out whose fault it is
                _log.warning("starts_left_to_flask", error=type(exc).__name__, count=len(batch))
                answers = [None] * len(batch)
            loop = first[1].get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, batch, answers)
            if is_last:
                return

    def _answers(self, bodies: Sequence[bytes]) -> list[Answer | None]:
        """The answer to each body, in order."""
        answers: list[Answer | None] = [None] * len(bodies)
        starts: dict[int, Start] = {}
        for index, body in enumerate(bodies):
            try:
                starts[index] = load_start(as_object(parse(body)))
            except ArgyllError as exc:
                answers[index] = self._refusal(exc)
        for index, answer in zip(starts, self._started(list(starts.values())), strict=True):
            answers[index] = answer
        return answers

    def _started(self, starts: Sequence[Start]) -> Sequence[Answer | None]:
        """The answers to what could be read."""
        try:
            refused = self._engine.start_flows(starts) if starts else ()
        except TransientError as exc:
            note_deferred(exc, ENDPOINT)
            return [self._refusal(exc) for _ in starts]
        return [
            _answer(201, started_to_json(start.flow_id)) if error is None else self._refusal(error)
            for start, error in zip(starts, refused, strict=True)
        ]

    def _refusal(self, error: ArgyllError) -> Answer | None:
        """The answer to an error that somebody may see; for others there is the log, which Flask's handler writes."""
        if isinstance(error, BrokenError):
            return None
        refusal = refusal_of(error)
        answer = _answer(refusal["status"], refusal)
        if isinstance(error, TransientError):
            answer.headers.append(self._retry_after)
        return answer


def _answer(status: int, body: object) -> Answer:
    encoded = encode(body)
    return Answer(status, [_TYPE, (b"content-length", str(len(encoded)).encode()), *_HEADERS], encoded)


def _resolve(batch: Sequence[_Waiting], answers: Sequence[Answer | None]) -> None:
    """On the event loop; nobody waits any more for a request that was cut off at the end."""
    for (_, future), answer in zip(batch, answers, strict=True):
        if not future.done():
            future.set_result(answer)
