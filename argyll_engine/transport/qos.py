# SPDX-License-Identifier: Apache-2.0
"""What a channel has delivered and nobody has settled: kombu's QoS, on the entries of streams.

Messages may be settled from any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argyll_engine.transport.settlements import Settlement
from argyll_engine.transport.wire import split_tag

if TYPE_CHECKING:
    from argyll_engine.transport.channel import Channel

REJECTED = "rejected"


class QoS:
    """The deliveries of one channel. `prefetch_count` limits them; 0 is no limit."""

    def __init__(self, channel: Channel, prefetch_count: int = 0) -> None:
        self.channel = channel
        self.prefetch_count = prefetch_count or 0
        self._delivered: dict[str, Any] = {}

    def __len__(self) -> int:
        """How many are not settled."""
        return len(self._delivered)

    def tags(self) -> tuple[str, ...]:
        """The delivery tags of those."""
        return tuple(self._delivered)

    def can_consume(self) -> bool:
        """Whether one more may be delivered."""
        return not self.prefetch_count or len(self._delivered) < self.prefetch_count

    def can_consume_max_estimate(self) -> int | None:
        """How many more may be delivered; None for no limit."""
        return max(self.prefetch_count - len(self._delivered), 0) if self.prefetch_count else None

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a delivery."""
        self._delivered[delivery_tag] = message

    def get(self, delivery_tag: str) -> Any:
        """The message of a tag. Raises KeyError when it is settled."""
        return self._delivered[delivery_tag]

    def ack(self, delivery_tag: str) -> None:
        """It is done."""
        self._settle(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """It goes back into its queue, which counts as a failed delivery, or to the dead letters."""
        self._settle(delivery_tag, again=requeue, reason="" if requeue else REJECTED)

    def settled_elsewhere(self, *delivery_tags: str) -> None:
        """They are done, and Redis knows: a script of the application has acknowledged them."""
        known = [tag for tag in delivery_tags if self._delivered.pop(tag, None) is not None]
        consumer = self.channel.consumer
        if known and consumer is not None:
            consumer.settlements.wake()  # one more message may be delivered

    def restore_unacked(self) -> None:
        """All go back into their queues."""
        for tag in list(self._delivered):
            self.reject(tag, requeue=True)

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Nothing: closing the channel gives back what its consumer holds, in order."""
        self._delivered.clear()

    def _settle(self, delivery_tag: str, again: bool = False, reason: str = "") -> None:
        message = self._delivered.pop(delivery_tag, None)
        if message is None:
            return
        try:
            stream, entry_id = split_tag(delivery_tag)
        except ValueError:
            return  # a broadcast; nobody waits for its settlement
        self.channel.settle(Settlement(message.delivery_info["queue"], stream, entry_id, again, reason))
