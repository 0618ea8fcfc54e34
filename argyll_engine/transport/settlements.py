# SPDX-License-Identifier: Apache-2.0
"""What tasks decided about their messages and Redis has not heard yet: gathered from all threads, sent in one go.

The channel's consumer sends it once a turn of the loop, or when another thread's settlement wakes the loop.
"""

import os
import signal
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from argyll_engine.round_trip import Command
from argyll_engine.transport import scripts
from argyll_engine.transport.options import Options
from argyll_engine.transport.wire import GROUP, tag_of

RING: Final = b"!"


class Settlement(Struct, frozen=True):
    """One message is done (`again` false, no `reason`), goes back into its queue, or is a dead letter."""

    queue: str
    stream: str
    entry_id: str
    again: bool = False
    reason: str = ""


class Alarm:
    """A pipe that a poll can wait on; `ring` may be called from any thread, and signals of the process ring it too."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._rung = threading.Event()

    def fileno(self) -> int:
        """What to poll."""
        return self._read

    def ring(self) -> None:
        """Wake whoever polls; rings that nobody has heard yet are one."""
        if not self._rung.is_set():
            self._rung.set()
            os.write(self._write, RING)

    def silence(self) -> bool:
        """Take note of the rings, what follows rings again; says whether one of them was a signal.

        Whoever calls must look for work afterwards: a ring that comes in between adds no byte.
        """
        try:
            heard = os.read(self._read, 1024)
        except BlockingIOError:
            heard = b""
        # Not before the read: a ring in between would lose its byte and still count as not yet heard, and so
        # would silence all that follow.
        self._rung.clear()
        return bool(heard.strip(RING))

    @contextmanager
    def hearing_signals(self) -> Iterator[None]:
        """A block during which a signal rings. Only Python's main thread can have that."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)

    def close(self) -> None:
        """Free both ends. Late rings are ignored."""
        self._rung.set()
        os.close(self._read)
        os.close(self._write)


class Settlements:
    """The settlements that wait, of one consumer."""

    def __init__(self, options: Options, ring: Callable[[], None]) -> None:
        self._options = options
        self._ring = ring
        self._waiting: deque[Settlement] = deque()
        self.owner = threading.get_ident()

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def add(self, settlement: Settlement) -> None:
        """Keep it for the next turn; the owner's own turn needs no wake-up."""
        self._waiting.append(settlement)
        self.wake()

    def wake(self) -> None:
        """Let the owner look again: for what waits, or because it may take more messages now."""
        if threading.get_ident() != self.owner:
            self._ring()

    def take(self) -> list[Settlement]:
        """All that waits now."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def tags(self) -> set[str]:
        """The delivery tags of what waits."""
        return {tag_of(settlement.stream, settlement.entry_id) for settlement in tuple(self._waiting)}

    def put_back(self, settlements: list[Settlement]) -> None:
        """They were not sent after all, or nobody knows; all of them may be sent twice."""
        self._waiting.extendleft(reversed(settlements))

    def commands(self, settlements: list[Settlement]) -> list[Command]:
        """What tells Redis of them: finished ones of a stream together, each other one as a script."""
        told: list[Command] = []
        done: defaultdict[str, list[str]] = defaultdict(list)
        for settlement in settlements:
            if settlement.again or settlement.reason:
                told.append(scripts.command(self._script(settlement)))
            else:
                done[settlement.stream].append(settlement.entry_id)
        for stream, entry_ids in done.items():
            told += (("XACK", stream, GROUP, *entry_ids), ("XDEL", stream, *entry_ids))
        return told

    def _script(self, settlement: Settlement) -> scripts.Call:
        keys = self._options.keys
        return scripts.Call(
            "settle",
            [keys.returned(settlement.queue), keys.dead(settlement.queue), settlement.stream],
            [GROUP, settlement.entry_id, self._options.delivery_limit, settlement.reason, 1],
        )
