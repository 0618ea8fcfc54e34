# SPDX-License-Identifier: Apache-2.0
"""When a supervisor loses patience with a child that shows no sign of life."""

import pytest

from argyll_api.cli.patience import START_SECONDS, Patience
from argyll_engine.metrics.signs import write_sign


class Child:
    """A child whose signs a test writes, with a time that it moves."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.at = 0.0
        self.patience = Patience(folder / "steps1.sign", 10.0, lambda: self.at)
        self.patience.begin()

    def sign(self, beat, trouble=""):
        """Writes the sign."""
        write_sign(self.folder, "steps1", str(beat), trouble)

    def complaint_after(self, seconds, look_every=1.0):
        """What the supervisor says after looking for so long."""
        end = self.at + seconds
        complaint = ""
        while self.at < end and not complaint:
            self.at += look_every
            complaint = self.patience.complaint()
        return complaint


@pytest.fixture
def child(tmp_path):
    """A child that is about to start."""
    return Child(tmp_path)


def test_a_child_that_signs_is_left_alone(child):
    """For as long as its sign changes."""
    for beat in range(50):
        child.sign(beat)
        assert "" == child.complaint_after(5.0)
    assert not child.patience.is_silent


def test_a_child_whose_sign_stays_the_same_is_stuck(child):
    """After its patience, not before; the probe knows at half of it."""
    child.sign(1)
    assert "" == child.complaint_after(10.0)
    assert child.patience.is_silent
    assert "no sign of life for 11 s" == child.complaint_after(5.0)


def test_a_child_that_says_that_it_is_stuck_is_believed(child):
    """At once."""
    child.sign(1, "takes nothing")
    assert "takes nothing" == child.complaint_after(1.0)


def test_a_child_that_starts_has_more_time(child):
    """Loading Python on a busy machine takes long; but not for ever."""
    assert "" == child.complaint_after(START_SECONDS)
    assert child.patience.is_silent
    assert child.complaint_after(5.0).startswith("no sign of life")


def test_time_in_which_nobody_looked_does_not_count(child):
    """A machine that slept for an hour has no stuck processes."""
    child.sign(1)
    child.complaint_after(1.0)
    assert "" == child.complaint_after(3_600.0, look_every=3_600.0)


def test_a_new_process_begins_anew(child):
    """What the last one has said is forgotten."""
    child.sign(1, "takes nothing")
    child.complaint_after(1.0)
    child.patience.begin()
    assert "" == child.complaint_after(20.0)
