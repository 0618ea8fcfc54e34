# SPDX-License-Identifier: Apache-2.0
"""The WebSocket of a real server over the engine in memory: what a client may rely on, frame by frame."""

import json
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed

from argyll_api.socket import Connection
from argyll_engine.errors import ArchiveUnavailableError, StoreUnavailableError
from argyll_engine.feed_port import ERASED_SEQUENCE
from tests.api.live_server import RawSocket, eventually, serving

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FLOW = ["flow", "wf"]
NO_NODES = {"last_updated": "0001-01-01T00:00:00Z", "nodes": {}}
SUBSCRIBED = b'{"type":"subscribed","sub_id":"x","items":[]}'


@pytest.fixture(scope="module")
def shared_server():
    """One server for all tests that leave nothing behind."""
    with serving() as server:
        yield server


@pytest.fixture
def server(shared_server):
    """The server with an empty store."""
    for kept in (shared_server.workshop.backend.logs, shared_server.workshop.backend.flows):
        kept.clear()
    return shared_server


@pytest.fixture
def sock(server):
    """One client."""
    with server.connect() as sock:
        yield sock


def ask(sock, **fields):
    """Sends a message."""
    sock.send(json.dumps(fields))


def subscribe(sock, sub_id, *paths, **more):
    """Subscribes; the answer."""
    ask(sock, type="subscribe", data={"sub_id": sub_id, "aggregate_ids": [list(p) for p in paths], **more})
    return receive(sock)


def receive(sock):
    """The next message."""
    return json.loads(sock.recv(timeout=10))


def sequences(sock, count):
    """(subscription, sequence) of the next events."""
    return [(frame["sub_id"], frame["sequence"]) for frame in (receive(sock) for _ in range(count))]


# ---- subscriptions ---------------------------------------------------------------------------


def test_events_come_as_they_are_committed(server, sock):
    """In the form of the contract, with the data as stored."""
    assert subscribe(sock, "7", FLOW) == {"type": "subscribed", "sub_id": "7", "items": []}
    server.commit(FLOW, pad=3)
    assert receive(sock) == {
        "type": "type_0",
        "sub_id": "7",
        "id": FLOW,
        "data": {"pad": "xxx"},
        "timestamp": 1_767_323_045_500,
        "sequence": 0,
    }


def test_a_subscription_does_not_look_back(server, sock):
    """What was there before is not sent, whether a path names the stream or not."""
    server.commit(FLOW, 4)
    subscribe(sock, "named", FLOW)
    subscribe(sock, "all", ["flow"])
    server.commit(FLOW)
    assert sorted(sequences(sock, 2)) == [("all", 4), ("named", 4)]


def test_state_and_what_comes_after_it(server, sock):
    """The item's sequence is that of the next event."""
    server.commit(["cluster"], 3)
    (item,) = subscribe(sock, "c", ["cluster"], include_state=True)["items"]
    assert item == {"id": ["cluster"], "data": NO_NODES, "sequence": 3}
    server.commit(["cluster"])
    assert sequences(sock, 1) == [("c", 3)]


def test_items_come_in_the_order_of_the_paths(sock):
    """A flow that is not there has none, a path of no one aggregate has one without a state."""
    answer = subscribe(sock, "x", ["nope"], FLOW, ["cluster"], ["flow"], include_state=True)
    expected = [(["nope"], None), (["cluster"], NO_NODES), (["flow"], None)]
    assert [(item["id"], item["data"]) for item in answer["items"]] == expected


def test_a_flow_that_starts_later_is_sent_from_its_start(server, sock):
    """Its item was left out."""
    assert subscribe(sock, "x", FLOW, include_state=True)["items"] == []
    server.commit(FLOW, 2)
    assert sequences(sock, 2) == [("x", 0), ("x", 1)]


def test_a_commit_between_attaching_and_loading_is_not_sent_twice(server, sock, monkeypatch):
    """It is in the state, so its event is suppressed."""
    queries = server.workshop.engine.queries
    load = queries.aggregate

    def load_after_a_commit(path):
        server.commit(["cluster"])
        return load(path)

    monkeypatch.setattr(queries, "aggregate", load_after_a_commit)
    (item,) = subscribe(sock, "x", ["cluster"], include_state=True)["items"]
    assert item["sequence"] == 1
    server.commit(["cluster"])
    assert sequences(sock, 1) == [("x", 1)]


def test_each_subscription_gets_its_copy(server, sock):
    """Once each, even where several of its paths cover the stream; filtered by type."""
    subscribe(sock, "a", FLOW, ["flow"], FLOW)
    subscribe(sock, "b")
    subscribe(sock, "odd", ["flow"], event_types=["type_1", "nope"])
    server.commit(FLOW, 2)
    expected = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("odd", 1)]
    assert sorted(sequences(sock, 5)) == expected


def test_a_reused_id_replaces(server, sock):
    """The old filter is gone."""
    subscribe(sock, "x", ["flow", "old"])
    subscribe(sock, "x", FLOW)
    server.commit(["flow", "old"])
    server.commit(FLOW)
    frame = receive(sock)
    assert (frame["id"], frame["sub_id"]) == (FLOW, "x")


def test_unsubscribe_is_always_acknowledged(server, sock):
    """In the order of the messages, and without an id where none was given."""
    ask(sock, type="unsubscribe", data={"sub_id": "x"})
    ask(sock, type="subscribe", data={"sub_id": "x", "aggregate_ids": [FLOW]})
    ask(sock, type="unsubscribe", data={"sub_id": "x"})
    ask(sock, type="unsubscribe", data={})
    assert [receive(sock) for _ in range(4)] == [
        {"type": "unsubscribed", "sub_id": "x"},
        {"type": "subscribed", "sub_id": "x", "items": []},
        {"type": "unsubscribed", "sub_id": "x"},
        {"type": "unsubscribed"},
    ]
    server.commit(FLOW)
    ask(sock, type="unsubscribe", data={"sub_id": "end"})
    assert receive(sock)["sub_id"] == "end"


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "",
        "[]",
        "null",
        '{"type":"ping"}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","data":null}',
        '{"type":"subscribe","data":{"sub_id":""}}',
        '{"type":"subscribe","data":{"sub_id":5}}',
        '{"type":"subscribe","data":{"sub_id":"x","aggregate_ids":"flow"}}',
        '{"type":"subscribe","data":{"sub_id":"x","aggregate_ids":[[1]]}}',
        '{"type":"unsubscribe"}',
        '{"data":{"sub_id":"x"}}',
        b"\xff\xfe",
    ],
)
def test_nonsense_is_ignored(sock, text):
    """No answer, and the connection stays."""
    sock.send(text)
    assert subscribe(sock, "fine")["sub_id"] == "fine"


def test_a_state_that_cannot_be_loaded_ends_the_connection(server, monkeypatch):
    """Clients come back and begin anew; nothing of it is watched any more."""

    def fail(path):
        raise StoreUnavailableError("flow", "told to fail")

    monkeypatch.setattr(server.workshop.engine.queries, "served_flow", fail)
    with server.connect() as sock:
        ask(sock, type="subscribe", data={"sub_id": "x", "aggregate_ids": [FLOW], "include_state": True})
        with pytest.raises(ConnectionClosed) as closed:
            sock.recv(timeout=10)
    assert closed.value.rcvd is None


def test_an_erased_flow_ends_the_connections_that_named_it(server):
    """What comes under its id from now on is another flow; whoever watches all of them goes on."""
    with server.connect() as one, server.connect() as other:
        server.commit(FLOW, 2)
        subscribe(one, "x", FLOW)
        subscribe(other, "x", ["flow"])
        backend = server.workshop.backend
        with backend.lock:
            del backend.logs[tuple(FLOW)]
            backend.note(tuple(FLOW), ERASED_SEQUENCE, ERASED_SEQUENCE + 1)
        with pytest.raises(ConnectionClosed):
            one.recv(timeout=10)
        server.commit(FLOW)
        assert 0 == receive(other)["sequence"]


def test_an_archive_that_is_away_costs_nobody_else_a_subscription(server, monkeypatch):
    """The flow is left out of the items, and the connection stays."""

    def away(flow_id):
        raise ArchiveUnavailableError(flow_id, "told to be away")

    monkeypatch.setattr(server.workshop.engine.queries, "served_flow", away)
    with server.connect() as sock:
        assert [["catalog"]] == [
            item["id"] for item in subscribe(sock, "x", FLOW, ["catalog"], include_state=True)["items"]
        ]
        server.commit(["catalog"])
        assert ["catalog"] == receive(sock)["id"]


def test_a_stream_that_lost_events_ends_its_connections(server):
    """Only theirs: a gap is never passed over in silence."""
    with server.connect() as one, server.connect() as other:
        subscribe(one, "x", FLOW)
        subscribe(other, "x", ["catalog"])
        backend = server.workshop.backend
        with backend.lock:
            server.commit(FLOW, 3)
            backend.logs[tuple(FLOW)].trimmed, backend.logs[tuple(FLOW)].events = 3, []
        with pytest.raises(ConnectionClosed):
            one.recv(timeout=10)
        server.commit(["catalog"])
        assert sequences(other, 1) == [("x", 0)]


# ---- the connection --------------------------------------------------------------------------


def test_health_counts_sockets(server):
    """Those that are open now."""

    def clients():
        with urllib.request.urlopen(f"{server.url}/health") as answer:
            return json.load(answer)["details"]["websocket"]["clients"]

    eventually(lambda: clients() == 0)
    with server.connect(), server.connect():
        assert clients() == 2
    eventually(lambda: clients() == 0)


def test_the_handshake(server):
    """Any origin, no subprotocol, no compression."""
    offers = {"Origin": "https://elsewhere", "Sec_WebSocket_Protocol": "x"}
    offers["Sec_WebSocket_Extensions"] = "permessage-deflate"
    with RawSocket(server.port, path="/engine/ws?x=1", **offers) as raw:
        assert raw.head.startswith("HTTP/1.1 101 ")
        assert "protocol" not in raw.head.lower().split("\r\n", 1)[1]
        assert "deflate" not in raw.head


@pytest.mark.parametrize(
    "path,headers,status",
    [
        ("/engine/flow", {}, 404),
        ("/engine/ws", {"Sec_WebSocket_Key": "short"}, 400),
        ("/engine/ws", {"Sec_WebSocket_Version": "12"}, 400),
        ("/engine/ws", {"Content_Length": "3"}, 400),
    ],
)
def test_an_upgrade_that_is_none(server, path, headers, status):
    """Refused in plain text, with the headers that all answers have."""
    with RawSocket(server.port, path=path, **headers) as raw:
        assert raw.head.startswith(f"HTTP/1.1 {status} ")
        assert "access-control-allow-origin: *" in raw.head.lower()
        assert "text/plain" in raw.head
        assert raw.rest()


def test_another_upgrade_is_no_socket(server):
    """A request that offers HTTP/2 is answered as it is."""
    with RawSocket(server.port, path="/health", Upgrade="h2c") as raw:
        assert raw.head.startswith("HTTP/1.1 200 ")


def test_fragments_make_one_message(sock):
    """Text and binary alike."""
    whole = json.dumps({"type": "subscribe", "data": {"sub_id": "x"}})
    sock.send([whole[:10], whole[10:]])
    assert receive(sock)["sub_id"] == "x"
    sock.send(whole.encode())
    assert receive(sock)["sub_id"] == "x"


@pytest.mark.parametrize("is_fragmented", [False, True])
def test_a_message_beyond_the_limit(server, is_fragmented):
    """Closed with 1009; up to 64 KiB is read."""
    with server.connect() as sock:
        subscribe(sock, "x", pad="x" * 65_000)
        pieces = ["x" * 40_000] * 2
        with pytest.raises(ConnectionClosed) as closed:
            sock.send(pieces if is_fragmented else "".join(pieces))
            sock.recv(timeout=10)
    assert closed.value.rcvd.code == 1009


class Hasty(Connection):
    """A connection whose times are short."""

    ping_seconds = 0.1
    pong_seconds = 0.25
    write_seconds = 0.3


@pytest.fixture(scope="module")
def hasty():
    """A server of hasty connections, each with a small buffer."""
    with serving(Hasty) as server:
        yield server


def test_pings_are_sent_and_pongs_keep_the_connection(hasty):
    """Several rounds of them."""
    with RawSocket(hasty.port) as raw:
        for _ in range(5):
            assert raw.receive(2) == bytes((0x80 | PING, 0))
            raw.send(PONG)


def test_a_client_without_pongs_is_dropped(hasty):
    """Whatever else it sends, and without a closing handshake."""
    with RawSocket(hasty.port) as raw:
        for _ in range(2):
            assert raw.receive(2) == bytes((0x80 | PING, 0))
            raw.send(TEXT, b'{"type":"ping"}')
        assert bytes((0x80 | CLOSE,)) not in raw.rest()


def test_pings_of_clients_are_answered(server):
    """With their payload."""
    with RawSocket(server.port) as raw:
        raw.send(PING, b"abc")
        assert raw.receive(5) == bytes((0x80 | PONG, 3)) + b"abc"


def a_stalled_client(server):
    """A client that subscribes to everything and reads nothing more."""
    raw = RawSocket(server.port, receive_buffer=4_096)
    raw.send(TEXT, b'{"type":"subscribe","data":{"sub_id":"x"}}')
    assert raw.receive(2 + len(SUBSCRIBED)) == bytes((0x80 | TEXT, len(SUBSCRIBED))) + SUBSCRIBED
    return raw


class Stubborn(Hasty):
    """A connection that gives up on nothing but writes."""

    pong_seconds = 1_000.0


def test_a_client_that_takes_no_bytes_is_dropped(monkeypatch):
    """After the write deadline; its neighbour gets everything meanwhile."""
    with serving(Stubborn) as server, server.connect() as other, a_stalled_client(server):
        subscribe(other, "y")
        for _ in range(40):
            server.commit(FLOW, pad=200_000)
        assert sequences(other, 40) == [("y", n) for n in range(40)]
        assert server.switchboard.count() == 2
        eventually(lambda: server.switchboard.count() == 1)


def test_what_waits_for_one_client_is_bounded():
    """Beyond that its connection ends at once."""
    with serving(max_buffer_bytes=100_000) as server, a_stalled_client(server):
        for _ in range(60):
            server.commit(FLOW, pad=200_000)
        eventually(lambda: server.switchboard.count() == 0)


def test_a_server_that_stops_sends_clients_away_for_a_while():
    """With the code of a restart, never with that of a normal end."""
    with serving() as server, server.connect() as sock:
        subscribe(sock, "x")
        server.stop()
        with pytest.raises(ConnectionClosed) as closed:
            sock.recv(timeout=10)
    assert closed.value.rcvd.code == 1012
