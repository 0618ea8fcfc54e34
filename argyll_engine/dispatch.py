# SPDX-License-Identifier: Apache-2.0
"""Effects to Celery messages, and the seam to the broker. The only place that knows how a message looks.

Three brokers: `StreamsDispatcher` for our transport and `SharedRedisDispatcher` for Celery's stock Redis transport,
both on the flow store's own Redis, where messages are put into the queue by the commit itself, and `CeleryDispatcher`
for any other, which sends them after the commit (recovery repairs what a crash lost in between).
Tasks are named here and written in `tasks/`; this module does not import them.
"""

import base64
import os
import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError
from msgspec.structs import replace

from argyll_engine.codec import encode
from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.effects import CompleteParent, Effect, ReleaseHeld, RunCompensation, RunWork, WakeAt
from argyll_engine.model.step import StepType
from argyll_engine.ports import Message, QueueEntry, QueueForm
from argyll_engine.transport.wire import DEFAULT_PRIORITIES, Ready, lay
from argyll_engine.transport.wire import Keys as StreamKeys

RUN_WORK: Final = "argyll.run_work"
COMPLETE_PARENT: Final = "argyll.complete_parent"
WAKE_STEP: Final = "argyll.wake_step"
RUN_COMPENSATION: Final = "argyll.run_compensation"
RELEASE_HELD: Final = "argyll.release_held"
SWEEP: Final = "argyll.sweep"
CHECK_HEALTH: Final = "argyll.check_health"

MARKED: Final = re.compile(rb'"<(id|args|eta|body|trace|log)>"')
"""Where messages of one task and queue differ."""
EMBEDDED: Final = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
"""What a message of Celery's protocol 2 carries beside its arguments."""
TRACEPARENT: Final = "traceparent"
"""Header of a message whose span is known. Source: W3C Trace Context, §3.2."""
FLOW_LOG: Final = "flow_log"
"""Header of a flow's first message: the events so far, as stored, one a line."""
LOG_MAX: Final = 8_192
"""Bytes of a log that a message brings; a larger one is loaded, and does not lie in Redis twice."""
ARGSREPR_MAX: Final = 1024
"""Characters of the arguments as people see them."""

STEPS_QUEUE: Final = "steps"
"""Decisions and scripts: short, on the processor."""
WORK_QUEUE: Final = "work"
"""Calls of other services: long, waiting."""
BEAT_QUEUE: Final = "beat"
"""Periodic tasks."""
ARCHIVE_QUEUE: Final = "archive"
"""Tasks of the archiver."""
QUEUES: Final = (STEPS_QUEUE, WORK_QUEUE, BEAT_QUEUE, ARCHIVE_QUEUE)


def queue_of(step_type: str) -> str:
    """The queue of a step's work."""
    return STEPS_QUEUE if step_type in (StepType.SCRIPT, StepType.FLOW) else WORK_QUEUE


def _run_work(effect: RunWork) -> Message:
    args = (effect.flow_id, effect.step_id, effect.token, effect.attempt)
    queue = queue_of(effect.step_type)
    return Message(task=RUN_WORK, queue=queue, args=args, eta=effect.at, goes_first=effect.goes_on)


def _complete_parent(effect: CompleteParent) -> Message:
    return Message(task=COMPLETE_PARENT, queue=STEPS_QUEUE, args=(effect.child_id,), goes_first=True)


def _wake_step(effect: WakeAt) -> Message:
    return Message(
        task=WAKE_STEP, queue=STEPS_QUEUE, args=(effect.flow_id, effect.step_id), eta=effect.at, goes_first=True
    )


def _run_compensation(effect: RunCompensation) -> Message:
    args = (effect.flow_id, effect.step_id, effect.token, effect.retry_count)
    return Message(task=RUN_COMPENSATION, queue=WORK_QUEUE, args=args, eta=effect.at, goes_first=True)


def _release_held(effect: ReleaseHeld) -> Message:
    return Message(
        task=RELEASE_HELD, queue=STEPS_QUEUE, args=(effect.step_id, effect.watch), eta=effect.at, goes_first=True
    )


RENDERERS: Final[dict[type[Effect], Callable[[Any], Message]]] = {
    RunWork: _run_work,
    CompleteParent: _complete_parent,
    WakeAt: _wake_step,
    RunCompensation: _run_compensation,
    ReleaseHeld: _release_held,
}


class CeleryDispatcher:
    """Sends messages through Celery, after the commit.

    Args:
        app: the Celery app whose broker takes the messages.
        longest_wait_seconds: a later message is sent for this time and goes on from there: brokers that redeliver
            what was not acknowledged in time would otherwise deliver it again and again.
    """

    def __init__(self, app: Celery, longest_wait_seconds: float) -> None:
        self._app = app
        self._longest_wait = timedelta(seconds=longest_wait_seconds)

    def render(self, effects: Sequence[Effect], now: datetime) -> tuple[Message, ...]:
        """The messages that carry these effects out; a timer far away gets its first hop."""
        return tuple(self._hop(RENDERERS[type(effect)](effect), now) for effect in effects)

    def seal(self, messages: Sequence[Message], log: Sequence[bytes] = ()) -> tuple[QueueEntry, ...]:
        """Nothing: this broker is not part of a commit."""
        return ()

    def publish(self, messages: Sequence[Message]) -> None:
        """Send messages. Raises StoreUnavailableError when the broker does not answer."""
        try:
            for message in messages:
                self._app.send_task(
                    message.task,
                    args=message.args,
                    queue=message.queue,
                    eta=message.eta,
                    priority=self._priority(message),
                    headers={TRACEPARENT: message.traceparent} if message.traceparent else None,
                    ignore_result=True,
                )
        except OperationalError as exc:
            raise StoreUnavailableError("broker", str(exc)) from exc

    def _priority(self, message: Message) -> int | None:
        return None

    def _hop(self, message: Message, now: datetime) -> Message:
        if message.eta is None or message.eta <= now + self._longest_wait:
            return message
        return replace(message, eta=now + self._longest_wait)


class SharedRedisDispatcher(CeleryDispatcher):
    """Puts messages into the queues of Celery's stock Redis transport as part of the commit.

    Args:
        key_prefix: what the transport puts before its queue names (`global_keyprefix`).

    Source: the form of a message is that of kombu's `virtual.Channel.basic_publish` and Celery's task protocol 2;
    `tests/contract/test_dispatch.py` holds it against what `send_task` writes.
    """

    def __init__(self, app: Celery, longest_wait_seconds: float, key_prefix: str) -> None:
        super().__init__(app, longest_wait_seconds)
        self._key_prefix = key_prefix
        self._forms = _Forms(app, body_encoding="base64")

    def seal(self, messages: Sequence[Message], log: Sequence[bytes] = ()) -> tuple[QueueEntry, ...]:
        """The messages as the transport would have written them."""
        return tuple(
            QueueEntry(key=self._key_prefix + message.queue, payload=self._forms.render(message, message.eta))
            for message in messages
        )


class StreamsDispatcher(CeleryDispatcher):
    """Puts messages into the queues of our own transport as part of the commit; delays of any length wait in Redis.

    Flows under way are gone on with before others begin: fewer are open at a time, and a process still has their state.

    Args:
        key_prefix: what the transport puts before its keys (`global_keyprefix`).
    """

    def __init__(self, app: Celery, key_prefix: str) -> None:
        super().__init__(app, longest_wait_seconds=0)  # no hops, see below
        self._keys = StreamKeys(key_prefix)
        self._forms = _Forms(app, body_encoding="utf-8")

    def seal(self, messages: Sequence[Message], log: Sequence[bytes] = ()) -> tuple[QueueEntry, ...]:
        """The messages as the transport would have written them; what is due by now is ready.

        The first that is due at once brings a log that is short, for it stays in this Redis.
        """
        now, brought = datetime.now(UTC), b"\n".join(log)
        entries: list[QueueEntry] = []
        for message in messages:
            is_bearer = bool(brought) and message.eta is None and len(brought) <= LOG_MAX
            entries.append(self._entry(message, now, brought if is_bearer else b""))
            if is_bearer:
                brought = b""
        return tuple(entries)

    def _entry(self, message: Message, now: datetime, log: bytes) -> QueueEntry:
        priority = self._priority(message)
        payload = self._forms.render(message, None, priority, log)
        sealed = lay(self._keys, message.queue, payload, priority, message.eta, now)
        if isinstance(sealed, Ready):
            return QueueEntry(key=sealed.key, payload=sealed.payload, form=QueueForm.STREAM)
        return QueueEntry(
            key=sealed.key, payload=sealed.member, form=QueueForm.DELAYED, due_ms=sealed.due_ms, wake=sealed.wake
        )

    def _priority(self, message: Message) -> int:
        return DEFAULT_PRIORITIES[0] if message.goes_first else DEFAULT_PRIORITIES[1]

    def _hop(self, message: Message, now: datetime) -> Message:
        return message


class _Forms:
    """Messages as kombu's virtual transports write them; all that is the same in each of a kind is written once.

    Args:
        body_encoding: `base64` or `utf-8`.
    """

    def __init__(self, app: Celery, body_encoding: str) -> None:
        self._app = app
        self._in_base64 = body_encoding == "base64"
        self._forms: dict[tuple[str, str, int, bool, bool], list[bytes]] = {}

    def render(self, message: Message, eta: datetime | None, priority: int = 0, log: bytes = b"") -> bytes:
        """The message with ids of its own. Its task id is its delivery tag too, as nothing else is."""
        kind = message.task, message.queue, priority, bool(message.traceparent), bool(log)
        form = self._forms.get(kind)
        if form is None:
            form = self._forms[kind] = self._form(message, priority, brings_log=bool(log))
        text = encode([message.args, {}, EMBEDDED])
        values = {
            b"id": b'"%b"' % _new_id(),
            b"eta": encode(eta and eta.isoformat()),
            b"args": encode(repr(message.args)[:ARGSREPR_MAX]),
            b"body": b'"%b"' % base64.b64encode(text) if self._in_base64 else encode(text.decode()),
        }
        if message.traceparent:
            values[b"trace"] = encode(message.traceparent)
        if log:
            values[b"log"] = encode(log.decode())
        return b"".join([values.get(part, part) for part in form])

    def _form(self, message: Message, priority: int, *, brings_log: bool) -> list[bytes]:
        """The texts between the places where messages differ, and the names of those places."""
        task = self._app.amqp.as_task_v2(_mark("id"), message.task, args=(), argsrepr=_mark("args"), ignore_result=True)
        properties = task.properties | {
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": message.queue},
            "priority": priority,
            "body_encoding": "base64" if self._in_base64 else "utf-8",
            "delivery_tag": _mark("id"),
        }
        trace = {TRACEPARENT: _mark("trace")} if message.traceparent else {}
        log = {FLOW_LOG: _mark("log")} if brings_log else {}
        written = encode(
            {
                "body": _mark("body"),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": task.headers | {"eta": _mark("eta")} | trace | log,
                "properties": properties,
            }
        )
        return MARKED.split(written)


_numbers = random.Random()  # seeded by the system; ids of messages are no secrets
os.register_at_fork(after_in_child=_numbers.seed)


def _new_id() -> bytes:
    """A random UUID of version 4; made without a system call, for there is one for each message."""
    text = b"%032x" % _numbers.getrandbits(128)
    return b"%b-%b-4%b-a%b-%b" % (text[:8], text[8:12], text[13:16], text[17:20], text[20:])


def _mark(name: str) -> str:
    return f"<{name}>"
