# SPDX-License-Identifier: Apache-2.0
"""Looking the archive through: what is there, what is damaged, what nobody needs."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from argyll_archiver.inspection import Finding, Inspection, Selection
from argyll_archiver.record import former_object_key
from argyll_engine.codec import decode
from argyll_engine.errors import DamagedArchiveError
from argyll_engine.model.digest import SeenFlow
from argyll_engine.model.ids import FlowID, flow_stream
from tests.unit.archiver.archiving import Archiving

EVERYTHING = Selection()


class Reader:
    """The archive of a place, as an inspection wants it."""

    prefix = "p/"

    def __init__(self, place: Archiving) -> None:
        self.sink = place.sink


@pytest.fixture
def place() -> Archiving:
    """A workshop with an archiver, and flows `a`, `b` and `parent` in the archive, each a day after the one before."""
    place = Archiving()
    for flow_id in ("a", "b"):
        place.end(flow_id)
        place.pass_time(86_400)
    place.end_with_child("parent")
    place.archiver.sweep()
    return place


def inspection_of(place: Archiving) -> Inspection:
    """Whoever looks."""
    return Inspection(index=place.workshop.parts.stores.index, store=place.store, reader=Reader(place))  # type: ignore[arg-type]  # a sink and a prefix


def forget(place: Archiving, *flow_ids: str) -> None:
    """Erase the digests of archived flows, and not their objects."""
    digests = [digest for digest in place.store.digests([FlowID(each) for each in flow_ids]) if digest]
    assert place.store.erase([SeenFlow(digest=digest, is_archived=True) for digest in digests], {"what": "erased"})


def found_in(place: Archiving, selection: Selection = EVERYTHING) -> list[Finding]:
    """What a look through finds wrong or unused."""
    findings = list(inspection_of(place).verify(selection))
    assert findings
    return [found for found in findings if found.fault or not found.is_used]


def test_digests_come_in_the_order_of_deactivation(place: Archiving) -> None:
    """Children after their root."""
    found = [digest.flow_id for digest in inspection_of(place).digests(EVERYTHING)]
    assert ["a", "b", "parent"] == found[:3]
    assert [True] == [flow_id.startswith("parent:") for flow_id in found[3:]]


def test_a_range_ends_before_its_last_moment(place: Archiving) -> None:
    """And begins with its first."""
    inspection = inspection_of(place)
    first, second, *_ = (digest.deactivated_at for digest in inspection.digests(EVERYTHING))

    def chosen(since: datetime | None = None, until: datetime | None = None, id_prefix: str = "") -> list[FlowID]:
        selection = Selection(since=since, until=until, id_prefix=id_prefix)
        return [digest.flow_id for digest in inspection.digests(selection)]

    assert ["b"] == chosen(second, second + timedelta(milliseconds=1))
    assert ["a"] == chosen(None, second)
    assert ["a", "b"] == chosen(first)[:2]
    assert ["b"] == chosen(id_prefix="b")


def test_a_whole_archive_has_no_faults(place: Archiving) -> None:
    """Every object of every flow is read."""
    assert ([], 4) == (found_in(place), len(list(inspection_of(place).verify(EVERYTHING))))


def test_damage_is_found(place: Archiving) -> None:
    """Cut, exchanged, gone: each is a finding of its own."""
    keys = {
        key.rpartition("/")[2].partition("~")[0].partition(":")[0]: key
        for key in sorted(place.sink.objects, reverse=True)
    }
    place.sink.objects[keys["a"]] = place.sink.objects[keys["a"]][:-9]
    place.sink.objects[keys["b"]] = place.sink.objects[keys["parent"]]
    del place.sink.objects[keys["parent"]]
    found = {finding.flow_id.partition(":")[0]: finding.fault for finding in found_in(place)}
    assert ({"a", "b", "parent"}, "it is gone") == (set(found), found["parent"])
    assert "not the flow b" in found["b"]


def test_objects_that_nobody_needs_are_told_apart(place: Archiving) -> None:
    """Of a restored flow, say; damage is damage there too."""
    key = next(key for key in place.sink.objects if "/a~" in key)
    forget(place, "a")
    assert [Finding(key=key, flow_id="a", is_used=False)] == found_in(place)
    place.sink.objects[key] = b"rubbish"
    (found,) = found_in(place)
    assert (key, False) == (found.key, found.is_used)
    assert found.fault


def test_objects_of_other_days_are_left_alone(place: Archiving) -> None:
    """A range of days is one of objects too."""
    (first, *_) = (digest.deactivated_at for digest in inspection_of(place).digests(EVERYTHING))
    forget(place, "a", "b")
    found = found_in(place, Selection(since=first + timedelta(days=1), until=first + timedelta(days=1, hours=1)))
    assert ["b"] == [finding.flow_id for finding in found]


def test_a_range_of_days_takes_no_object_of_the_next_day_for_unused(place: Archiving) -> None:
    """Its flow is none of the range, but needs it."""
    (first, *_) = (digest.deactivated_at for digest in inspection_of(place).digests(EVERYTHING))
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert [] == found_in(place, Selection(until=midnight))


def test_a_flow_that_is_erased_while_it_is_looked_at_is_no_damage(place: Archiving) -> None:
    """Its object is gone, or that of a newer flow by the same key, and its digest was read before."""
    whole = inspection_of(place)
    digests = list(whole.digests(EVERYTHING))
    (first, second) = (next(each for each in digests if each.flow_id == flow_id) for flow_id in "ab")
    del place.sink.objects[first.object_key]
    place.sink.objects[second.object_key] = place.sink.objects[digests[-1].object_key]
    forget(place, "a", "b")
    whole.digests = lambda selection: iter(digests)  # type: ignore[method-assign]  # as they were read
    assert [False, False] == [found.is_used for found in whole.verify(EVERYTHING) if found.flow_id in ("a", "b")]
    assert not any(found.fault for found in whole.verify(EVERYTHING))
    assert {digest.object_key for digest in digests[2:]} == {key for key, _ in whole.texts(EVERYTHING)}


def test_an_object_that_goes_or_is_wanted_after_it_was_listed_is_not_unused(place: Archiving) -> None:
    """It was erased with its flow, or its flow was archived meanwhile."""
    whole = inspection_of(place)
    gone = "p/v2/2026-01-02/gone~x.json.gz"
    place.sink.objects[gone] = b""
    listed = [entry.key for entry in place.sink.list("")]
    del place.sink.objects[gone]
    whole.digests = lambda selection: iter(())  # type: ignore[method-assign]  # before they were archived
    whole._keys = lambda selection: iter(listed)  # type: ignore[method-assign]  # as they were listed
    assert {(key, True) for key in listed if key != gone} == {
        (found.key, found.is_used) for found in whole.verify(EVERYTHING)
    }


def test_objects_under_keys_of_the_former_form_are_as_good(place: Archiving) -> None:
    """Those that a digest speaks of, and those of nobody, day by day."""
    for digest in list(inspection_of(place).digests(EVERYTHING)):
        former = "p/" + former_object_key(digest)
        place.sink.objects[former] = place.sink.objects.pop(digest.object_key)
        place.workshop.backend.digests[flow_stream(digest.flow_id)] = replace(digest, object_key=former)
    assert ([], 4) == (found_in(place), len(list(inspection_of(place).verify(EVERYTHING))))
    forget(place, "b")
    assert [("b", False)] == [(found.flow_id, found.is_used) for found in found_in(place)]


def test_texts_are_the_objects_as_json(place: Archiving) -> None:
    """One line each, checked before it is given."""
    texts = dict(inspection_of(place).texts(EVERYTHING))
    assert set(place.sink.objects) == set(texts)
    assert all(b"\n" not in text and decode(text)["events"] for text in texts.values())
    key = min(texts)
    place.sink.objects[key] = place.sink.objects[key][:-1]
    with pytest.raises(DamagedArchiveError):
        list(inspection_of(place).texts(EVERYTHING))
