# SPDX-License-Identifier: Apache-2.0
"""How deliveries get from a thread of the hub to the event loop, where it ends, and where one of them fails."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from threading import Thread

from argyll_api.subscriptions import Subscription, Switchboard
from argyll_engine.codec.frames import Subscribe
from argyll_engine.hub import Delivery, Hub, Listener
from argyll_engine.store.memory import MemoryFeed
from tests.definitions import a_step, output
from tests.workshop import Workshop

SECONDS = 10.0


class OwnThread(Hub):
    """A hub without readers: the test brings deliveries, in threads of its own."""

    def __init__(self) -> None:
        super().__init__([])
        self.listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Keep who wants deliveries."""
        self.listeners.append(listener)


def test_a_delivery_ends_with_the_event_loop() -> None:
    """Else its thread would wait for ever for a turn that nobody gives."""
    hub, loop = OwnThread(), asyncio.new_event_loop()
    board = Switchboard(hub, Workshop().engine.queries)

    async def begin() -> None:
        board.start()

    loop.run_until_complete(begin())
    with ThreadPoolExecutor(1) as threads:
        delivered = threads.submit(hub.listeners[0], Delivery(runs=()))
        assert not wait_for([delivered], 0.1).done
        loop.close()
        delivered.result(SECONDS)


def test_a_delivery_that_fails_is_made_again() -> None:
    """The thread of the hub hears of it and reads on from where it was."""
    shop = Workshop()
    hub = Hub([(MemoryFeed(shop.backend), frozenset({"flow"}))], patience_ms=5)
    board, loop = Switchboard(hub, shop.engine.queries), asyncio.new_event_loop()
    got: list[bytes] = []

    async def watch() -> None:
        board.start()
        begun, came = asyncio.Event(), asyncio.Event()

        def send(frames: Sequence[bytes]) -> None:
            if begun.is_set():
                got.append(b"".join(frames))
                if len(got) == 1:
                    raise RuntimeError("nobody foresaw this")
                came.set()

        wanted = Subscribe(sub_id="s", paths=(("flow",),))
        board.open(Subscription(wanted=wanted, send=send, drop=lambda: None), begun.set)
        await asyncio.wait_for(begun.wait(), SECONDS)
        Thread(target=shop.start, args=([a_step("a", {"y": output()})], ["a"])).start()
        await asyncio.wait_for(came.wait(), SECONDS)

    try:
        loop.run_until_complete(watch())
    finally:
        board.stop()
        loop.close()
    assert (True, 2) == (b"flow_started" in got[0], len(got))
    assert got[0] == got[1]
