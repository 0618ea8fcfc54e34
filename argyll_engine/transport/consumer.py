# SPDX-License-Identifier: Apache-2.0
"""One consumer of the streams of some queues: reads many, waits for one, settles in bulk, gives back at the end.

Its messages belong to it until they are settled, as long as the keeper shows that it lives. Called by `channel.py`
from the thread that drains events; `settlements` alone may be fed from other threads.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kombu.log import get_logger
from msgspec import Struct
from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from argyll_engine.round_trip import Command, ask, ask_all
from argyll_engine.transport import scripts
from argyll_engine.transport.options import Options
from argyll_engine.transport.settlements import Settlement, Settlements
from argyll_engine.transport.wire import GROUP, Keys, tag_of

MOVED_AT_ONCE: Final = 256
"""Due messages that one read moves into a stream."""

log = get_logger(__name__)


class Delivery(Struct, frozen=True):
    """One entry as it was read."""

    queue: str
    stream: str
    entry_id: str
    payload: bytes
    failed_deliveries: int


@dataclass(frozen=True, slots=True)
class NextRead:
    """A read that travels with a call of somebody else to the same Redis, who tells one of `came` and `lost`."""

    text: str
    sha: str
    keys: Sequence[str]
    args: Sequence[scripts.Argument]
    came: Callable[[Any], None]
    lost: Callable[[], None]


class Consumer:
    """Reads the queues it was told to.

    Args:
        name: Unique among all consumers, of all times.
        ring: Wakes the loop that drains events.
    """

    def __init__(self, client: Redis, options: Options, name: str, ring: Callable[[], None]) -> None:
        self.name = name
        self.settlements = Settlements(options, ring)
        self.ready: deque[Delivery] = deque()
        self.queues: deque[str] = deque()
        self.kept_queues: frozenset[str] = frozenset()
        self._held_queues: set[str] = set()
        self._client = client
        self._options = options
        self._keys = options.keys
        self._queue_of: dict[str, str] = {}
        self.waiting = Wait(client)
        """The read that waits for the next message."""
        self._due_at: float | None = None
        self.found_nothing = False
        """Whether the last read travelled with another call, and brought nothing."""
        self.has_lost = False
        """Whether Redis may have given messages to this consumer that it does not know of."""

    def add(self, queue: str, *, kept: bool) -> None:
        """Consume a queue as well; a kept one has the keeper show that its consumer lives."""
        self._declare(queue)
        self.settle_wait()
        self._held_queues.add(queue)
        if kept:
            self.kept_queues = self.kept_queues | {queue}  # a new set: the keeper walks over the old one
        self.queues.append(queue)

    def remove(self, queue: str) -> None:
        """Consume it no more; what was read of it and not delivered goes back at once."""
        if queue not in self.queues:
            return
        self.settle_wait()
        self.queues.remove(queue)
        kept, gone = deque[Delivery](), list[Delivery]()
        for delivery in self.ready:
            (gone if delivery.queue == queue else kept).append(delivery)
        self.ready = kept
        ask_all(self._client, [scripts.command(_untouched(self._keys, delivery)) for delivery in gone])

    def seconds_until_due(self) -> float | None:
        """How long until a message that waits is due, as far as known."""
        return None if self._due_at is None else max(self._due_at - time.monotonic(), 0.0)

    def look_again(self) -> None:
        """Something may be due sooner than known."""
        self._due_at = 0.0

    def read(self, limit: int) -> None:
        """Send what was settled, move what is due, and read up to `limit` messages into `ready`; one round trip."""
        settlements = self.settlements.take()
        if limit <= 0 and not settlements and self._due_at is None:
            return
        self.queues.rotate()
        call = self._take(limit) if self.queues and (limit > 0 or self.seconds_until_due() == 0.0) else None
        try:
            answer = self._send(settlements, call)
        except (RedisError, OSError):
            self.settlements.put_back(settlements)
            raise
        if answer is not None:
            self._take_in(answer)

    def next_read(self, limit: int, came: Callable[[int], None]) -> NextRead:
        """The same read for somebody else's call; `came` hears how many messages it brought."""
        self.queues.rotate()
        call = self._take(limit)
        script = scripts.read_script(call.name)

        def take_in(answer: Any) -> None:
            before = len(self.ready)
            self._take_in(answer)
            self.found_nothing = not answer[1]
            came(len(self.ready) - before)

        def lose() -> None:
            self.has_lost = True

        return NextRead(script.text, script.sha, call.keys, call.args, take_in, lose)

    def _take_in(self, answer: Any) -> None:
        wait_ms, found = answer
        self._due_at = None if wait_ms < 0 else time.monotonic() + wait_ms / 1000
        self._accept(found)

    def begin_wait(self, seconds: float) -> None:
        """Wait in Redis for the next message, unless a wait is on its way."""
        if self.queues and not self.waiting.pending:
            streams = [key for queue in self.queues for key in self._streams(queue)]
            self.waiting.begin(self.name, streams, max(int(seconds * 1000), 1))

    def end_wait(self) -> None:
        """Take the answer, which is there or comes in a moment."""
        try:
            self._accept(self.waiting.answer() or ())
        except ResponseError as exc:
            self._mend(exc)

    def settle_wait(self) -> None:
        """Have no read on its way: what it brought is in `ready`."""
        if self.waiting.pending:
            self.waiting.cut_short()
            self.end_wait()

    def recover(self, delivered: Iterable[str]) -> None:
        """After an outage: have what Redis gave to this consumer while the answer was lost.

        Args:
            delivered: The delivery tags that are being worked on.
        """
        for queue in self.queues:
            self._declare(queue)
        known = {*delivered, *(tag_of(one.stream, one.entry_id) for one in self.ready), *self.settlements.tags()}
        for stream in [stream for queue in self.queues for stream in self._streams(queue)]:
            found: Any = self._client.xreadgroup(GROUP, self.name, {stream: "0"})
            rows = [row for _, rows in found for row in rows]
            lost = [row for row in rows if tag_of(stream, row[0].decode()) not in known]
            self._accept([(stream.encode(), [(entry_id, _flat(fields)) for entry_id, fields in lost if fields])])
        self.has_lost = False

    def close(self) -> None:
        """Send what was settled and give the rest back. Raises RedisError when Redis does not answer."""
        self.settle_wait()
        self.ready.clear()
        self._send(self.settlements.take(), None)
        for queue in self._held_queues:
            keys = [self._keys.returned(queue), self._keys.dead(queue), self._keys.alive(queue), *self._streams(queue)]
            scripts.run(self._client, scripts.Call("release", keys, [GROUP, self.name, 1]))

    def _send(self, settlements: list[Settlement], call: scripts.Call | None) -> Any:
        answers = ask(self._client, _followed_by(self.settlements.commands(settlements), call))
        faults = [answer for answer in answers if isinstance(answer, Exception)]
        if not faults:
            return answers[-1] if call is not None else None
        if not all(isinstance(fault, NoScriptError) or _is_no_group(fault) for fault in faults):
            raise next(fault for fault in faults if not isinstance(fault, NoScriptError))
        return self._send_again(settlements, call)

    def _send_again(self, settlements: list[Settlement], call: scripts.Call | None) -> Any:
        """To a Redis that has lost its scripts, or everything."""
        for name in ("take", "settle"):
            self._client.script_load(scripts.read_script(name).text)
        for queue in self.queues:
            self._declare(queue)
        answers = ask_all(self._client, _followed_by(self.settlements.commands(settlements), call))
        return answers[-1] if call is not None else None

    def _mend(self, exc: ResponseError) -> None:
        if str(exc).startswith("UNBLOCKED"):
            return  # a queue was deleted under the read
        if not _is_no_group(exc):
            raise exc
        for queue in self.queues:
            self._declare(queue)

    def _take(self, limit: int) -> scripts.Call:
        priorities = self._options.priority_steps
        keys = [
            key
            for queue in self.queues
            for key in (self._keys.delayed(queue), self._keys.alive(queue), *self._streams(queue))
        ]
        args: list[scripts.Argument] = [GROUP, self.name, self._options.lease_ms, limit, MOVED_AT_ONCE, *priorities]
        return scripts.Call("take", keys, args)

    def _accept(self, found: Iterable[Any]) -> None:
        for name, entries in found:
            stream = name.decode()
            queue = self._queue_of[stream]
            for entry_id, pairs in entries:
                failed = int(pairs[3]) if len(pairs) > 3 else 0
                self.ready.append(Delivery(queue, stream, entry_id.decode(), pairs[1], failed))

    def _streams(self, queue: str) -> tuple[str, ...]:
        return self._keys.streams(queue, self._options.priority_steps)

    def _declare(self, queue: str) -> None:
        streams = self._streams(queue)
        self._queue_of |= dict.fromkeys(streams, queue)
        with self._client.pipeline(transaction=False) as pipeline:
            for stream in streams:
                pipeline.xgroup_create(stream, GROUP, id="0", mkstream=True)
            answers = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not str(answer).startswith("BUSYGROUP"):
                raise answer


class Wait:
    """A read that waits in Redis, on a connection of its own, while the loop polls that connection."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._connection: Any = None  # redis-py gives no types for what is used of it
        self._client_id = 0
        self._answer_by = 0.0
        self.pending = False

    def is_overdue(self, seconds: float) -> bool:
        """Whether the answer should have come so many seconds ago: nobody is at the other end."""
        return self.pending and time.monotonic() > self._answer_by + seconds

    def fileno(self) -> int:
        """What to poll."""
        assert self._connection is not None
        number: int = self._connection._sock.fileno()
        return number

    def begin(self, consumer: str, streams: list[str], milliseconds: int) -> None:
        """Ask for one message and do not wait for the answer."""
        connection = self._connected()
        connection.send_command(
            *("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", 1, "BLOCK", milliseconds),
            *("STREAMS", *streams, *[">"] * len(streams)),
        )
        self._answer_by = time.monotonic() + milliseconds / 1000
        self.pending = True

    def answer(self) -> Any:
        """What Redis said."""
        assert self._connection is not None
        self.pending = False
        return self._connection.read_response()

    def cut_short(self) -> None:
        """Have Redis answer now."""
        self._client.client_unblock(self._client_id)

    def drop(self) -> None:
        """Give the connection up."""
        connection, self._connection, self.pending = self._connection, None, False
        if connection is not None:
            connection.disconnect()
            self._client.connection_pool.release(connection)

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
            self._connection.send_command("CLIENT", "ID")
            self._client_id = int(self._connection.read_response())
        return self._connection


def _untouched(keys: Keys, delivery: Delivery) -> scripts.Call:
    """Gives a message back that nobody has seen."""
    places = [keys.returned(delivery.queue), keys.dead(delivery.queue), delivery.stream]
    return scripts.Call("settle", places, [GROUP, delivery.entry_id, 0, "", 0])


def _followed_by(commands: list[Command], call: scripts.Call | None) -> list[Command]:
    return commands if call is None else [*commands, scripts.command(call)]


def _flat(fields: dict[bytes, bytes]) -> list[bytes]:
    return [part for pair in fields.items() for part in pair]


def _is_no_group(fault: Exception) -> bool:
    return "NOGROUP" in str(fault)
