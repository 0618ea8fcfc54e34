# SPDX-License-Identifier: Apache-2.0
"""What wakes the loop of a connection."""

import os
import select
from collections.abc import Iterator

import pytest

from argyll_engine.transport.settlements import Alarm


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    """An alarm that nobody has rung."""
    made = Alarm()
    yield made
    made.close()


def is_ringing(alarm: Alarm) -> bool:
    """Whether a poll on it would end."""
    poller = select.poll()
    poller.register(alarm.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def test_rings_are_heard_once(alarm: Alarm) -> None:
    """Many rings are one, and after it was heard there is silence."""
    for _ in range(3):
        alarm.ring()
    heard = is_ringing(alarm), alarm.silence(), is_ringing(alarm)
    alarm.ring()
    assert (True, False, False, True) == (*heard, is_ringing(alarm))


def test_a_ring_while_others_are_heard_silences_nobody(alarm: Alarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes between the steps of `silence`, the next ring wakes the loop."""
    read = os.read

    def ring_and_read(number: int, size: int) -> bytes:
        alarm.ring()
        return read(number, size)

    alarm.ring()
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", ring_and_read)
        alarm.silence()
    alarm.ring()
    assert is_ringing(alarm)
