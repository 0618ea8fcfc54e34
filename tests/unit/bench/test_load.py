# SPDX-License-Identifier: Apache-2.0
"""Requests and answers of the load generator, as bytes."""

import json

import pytest

from bench.load import HEAD_END, Refused, Sent, answer_size, post, status_of
from bench.workloads import Workload, chain, fan_out, one_step

ANSWER = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("received", "size"),
    [
        (ANSWER, len(ANSWER)),
        (ANSWER + b"HTTP/1.1 200", len(ANSWER)),
        (ANSWER[:-2], len(ANSWER)),  # the body has not come yet
        (ANSWER[:40], None),
        (b"HTTP/1.1 200 OK\r\nX: y\r\nCONTENT-LENGTH: 11\r\n\r\n", 56),
    ],
)
def test_size_of_an_answer(received: bytes, size: int | None) -> None:
    """Known as soon as its head is there, whatever follows."""
    assert size == answer_size(received)


def test_an_answer_without_a_length_is_refused() -> None:
    """The generator does not read chunks, and says so."""
    with pytest.raises(Refused, match="without its length"):
        answer_size(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")


def test_status() -> None:
    """It is in the first line."""
    assert 201 == status_of(ANSWER)


def test_answers_must_be_as_expected() -> None:
    """One other status among many is enough to refuse the figure."""
    sent = Sent()
    sent.statuses.update({201: 99})
    assert sent is sent.require(201)
    sent.statuses[503] += 1
    with pytest.raises(Refused, match="503"):
        sent.require(201)


def test_a_request_says_how_long_it_is() -> None:
    """Its length is that of its body, in bytes."""
    head, _, body = post("/engine/flow", {"id": "ä"}).partition(HEAD_END)
    assert {"id": "ä"} == json.loads(body)
    assert f"Content-Length: {len(body)}".encode() in head
    assert head.startswith(b"POST /engine/flow HTTP/1.1\r\n")


def _bodies(requests: list[bytes]) -> list[dict[str, object]]:
    return [json.loads(request.partition(HEAD_END)[2]) for request in requests]


def test_each_flow_has_an_id_of_its_own() -> None:
    """Also over several calls, and it is the one in the request."""
    workload = one_step()
    (first, requests), (second, _) = workload.requests(3), workload.requests(3)
    assert 6 == len({*first, *second})
    assert first == [body["id"] for body in _bodies(requests)]


def test_many_flows_go_in_one_request() -> None:
    """As many as a request may have; the last has the rest."""
    ids, requests = one_step(flows_per_request=100).requests(250)
    parts = [body["flows"] for body in _bodies(requests)]
    assert ([100, 100, 50], 250) == ([len(part) for part in parts], len(ids))


@pytest.mark.parametrize(("workload", "steps", "units"), [(chain(5), 5, 5), (fan_out(100), 1, 100), (one_step(), 1, 1)])
def test_units_of_a_flow(workload: Workload, steps: int, units: int) -> None:
    """What is counted is a step or an item; the goal is the last step."""
    assert (steps, units, workload.goal) == (len(workload.steps), workload.units, workload.steps[-1]["id"])
