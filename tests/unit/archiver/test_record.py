# SPDX-License-Identifier: Apache-2.0
"""A flow's log to an object and back: nothing is lost, and no damage is read over."""

import gzip
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from msgspec.structs import replace

from argyll_archiver.record import former_object_key, make_object, object_key, read_object
from argyll_engine.codec import decode, encode, flow_state_to_json
from argyll_engine.errors import (
    DamagedArchiveError,
    FlowNotFoundError,
    InvalidRequestError,
    UndecodableEventError,
)
from argyll_engine.model.digest import FlowDigest
from argyll_engine.model.ids import FlowID
from tests.unit.archiver.flows import F, a_running_flow, an_ended_flow, log_of

DAY = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)


def _body() -> bytes:
    return make_object(F, log_of(an_ended_flow())).body


def test_events_come_back_byte_for_byte() -> None:
    """Escapes, large numbers and the way numbers are written included."""
    events = log_of(an_ended_flow({"in": ["ä"]}))
    assert events == read_object("k", make_object(F, events).body).events


def test_events_keep_bytes_that_our_own_encoder_would_not_write() -> None:
    """A log of another version may space its JSON differently."""
    first, *rest = log_of(an_ended_flow())
    events = (first.replace(b'"type":', b'"type" :\t'), *rest)
    assert events == read_object("k", make_object(F, events).body).events


def test_the_state_is_what_clients_were_served() -> None:
    """So that it can be served from the object without folding."""
    workshop = an_ended_flow({"in": [1]})
    served = decode(encode(flow_state_to_json(workshop.engine.queries.flow(F))))
    assert served == read_object("k", make_object(F, log_of(workshop)).body).state


def test_the_digest_has_what_lists_and_repeated_starts_need() -> None:
    """It stands in the object as it is given back."""
    events = log_of(an_ended_flow({"in": [1]}))
    made = make_object(F, events)
    assert ("f", "completed", "", len(events)) == (
        made.digest.flow_id,
        made.digest.status,
        made.digest.error,
        made.digest.event_count,
    )
    assert made.digest.goals_sha256 == read_object("k", made.body).digest["goals_sha256"]


def test_the_object_is_what_the_page_says() -> None:
    """gzip, JSON, and as its last member the SHA-256 of all bytes before the comma in front of it."""
    text = gzip.decompress(_body())
    content, _, seal = text.rpartition(b',"sha256":"')
    assert ["schema", "flow_id", "events", "state", "digest", "sha256"] == list(decode(text))
    assert (1, sha256(content).hexdigest().encode() + b'"}') == (decode(text)["schema"], seal)


def test_the_same_log_gives_the_same_object() -> None:
    """So an archiver that was killed after the write writes nothing new."""
    events = log_of(an_ended_flow())
    assert make_object(F, events) == make_object(F, events)


def test_a_flow_that_may_go_on_is_refused() -> None:
    """Its log could grow behind the object."""
    with pytest.raises(InvalidRequestError, match="flow is not deactivated: f"):
        make_object(F, log_of(a_running_flow()))


def test_a_flow_without_a_log_is_not_found() -> None:
    """No empty object is written."""
    with pytest.raises(FlowNotFoundError):
        make_object(F, ())


def test_a_log_that_cannot_be_read_is_refused() -> None:
    """It stays where somebody can look at it."""
    first, *rest = log_of(an_ended_flow())
    with pytest.raises(UndecodableEventError):
        make_object(F, (first[:-1], *rest))


def test_no_flipped_bit_changes_what_is_read() -> None:
    """It is noticed, or it was one of the few bits of the compressed form that mean nothing."""
    body = _body()
    whole, noticed = read_object("k", body), 0
    places = range(10, len(body), 7)
    for place in places:
        damaged = body[:place] + bytes([body[place] ^ 0x10]) + body[place + 1 :]
        try:
            assert whole == read_object("k", damaged)
        except DamagedArchiveError:
            noticed += 1
    assert noticed >= len(places) - 2


def test_any_truncation_is_noticed() -> None:
    """An empty object too."""
    body = _body()
    for length in range(0, len(body), 11):
        with pytest.raises(DamagedArchiveError):
            read_object("k", body[:length])


def test_a_change_that_was_compressed_again_is_noticed() -> None:
    """gzip's own checksum would let it pass."""
    changed = gzip.compress(gzip.decompress(_body()).replace(b'"completed"', b'"collected"', 1))
    with pytest.raises(DamagedArchiveError, match="checksum"):
        read_object("k", changed)


def test_another_schema_is_refused_by_its_number() -> None:
    """A later version may mean something else by the same members."""
    content = gzip.decompress(_body()).rpartition(b',"sha256"')[0].replace(b'"schema":1', b'"schema":2', 1)
    sealed = content + b',"sha256":"' + sha256(content).hexdigest().encode() + b'"}'
    with pytest.raises(DamagedArchiveError, match="schema is 2"):
        read_object("k", gzip.compress(sealed))


CREATED = datetime(2026, 1, 30, 23, 59, 59, 7, tzinfo=UTC)


def _digest(flow_id: str, created_at: datetime = CREATED) -> FlowDigest:
    """Of a flow that was deactivated on `DAY`."""
    digest = make_object(F, log_of(an_ended_flow())).digest
    return replace(digest, flow_id=FlowID(flow_id), created_at=created_at, deactivated_at=DAY)


@pytest.mark.parametrize(
    ("flow_id", "expected"),
    [
        ("order-1", "2026-01-31/order-1"),
        ("order-1:ship:t1", "2026-01-31/order-1:ship:t1"),
        ("..", "2026-01-31/.."),
        ("a/../b", "2026-01-31/a%2F..%2Fb"),
    ],
)
def test_keys_have_the_day_and_the_id(flow_id: str, expected: str) -> None:
    """A listing is in order of days, and within a day of ids; no id leaves its folder. So it was before, too."""
    digest = _digest(flow_id)
    assert f"v2/{expected}~20260130T235959.000007Z.json.gz" == object_key(digest)
    assert f"v1/{expected}.json.gz" == former_object_key(digest)


def test_two_flows_of_one_id_and_day_have_keys_of_their_own() -> None:
    """The id may be used again once the first of them is erased; a late write of that must not meet the second."""
    keys = {object_key(_digest("a", CREATED + timedelta(microseconds=number))) for number in range(3)}
    assert 3 == len(keys)


def test_long_ids_have_keys_of_their_own_that_fit() -> None:
    """Ids of children grow with the depth; file systems end at 255 bytes a name."""
    keys = [object_key(_digest("x" * length + end)) for length in (179, 400) for end in ("a", "b")]
    assert 4 == len(set(keys))
    assert all(len(key.rpartition("/")[2]) <= 220 for key in keys)
