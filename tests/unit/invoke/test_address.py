# SPDX-License-Identifier: Apache-2.0
"""Where requests go and how they read on the wire."""

import pytest

from argyll_engine.invoke.address import Address, Place, address_of, on_the_wire
from argyll_engine.invoke.request import HttpRequest


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a/x", Address(Place(False, "a", 80), "a", "")),
        ("https://a.example:8443/x", Address(Place(True, "a.example", 8443), "a.example:8443", "")),
        ("http://A:80", Address(Place(False, "a", 80), "a", "")),
        ("http://[::1]:81/", Address(Place(False, "::1", 81), "[::1]:81", "")),
        ("http://bücher.example/", Address(Place(False, "xn--bcher-kva.example", 80), "xn--bcher-kva.example", "")),
        ("http://u:p%40@a/", Address(Place(False, "a", 80), "a", "Basic dTpwQA==")),
    ],
)
def test_where_a_url_leads(url: str, expected: Address) -> None:
    """The port and the form of the Host header follow from the URL."""
    assert expected == address_of(url)


@pytest.mark.parametrize("url", ["", "x", "ftp://a/", "http://", "http://a:b/", "http://a:99999/", "http://[::1/"])
def test_what_leads_nowhere_says_why(url: str) -> None:
    """A reason instead of an address."""
    found = address_of(url)
    assert isinstance(found, str)
    assert found


def wire(url: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """The bytes of a request."""
    address = address_of(url)
    assert isinstance(address, Address)
    return on_the_wire(HttpRequest(method="POST", url=url, headers=headers, body=body), address)


@pytest.mark.parametrize(
    ("rest", "target"),
    [
        ("", b"/"),
        ("?a=b", b"/?a=b"),
        ("/a/../b%2Fc?d=%7E&e=1#f", b"/a/../b%2Fc?d=%7E&e=1"),
        ("/a b/ü?q=[1]", b"/a%20b/%C3%BC?q=%5B1%5D"),
    ],
)
def test_the_target(rest: str, target: bytes) -> None:
    """As it was written, but for what no request line can hold."""
    assert b"POST " + target + b" HTTP/1.1" == wire(f"http://a{rest}", {}).split(b"\r\n")[0]


def test_head_and_body() -> None:
    """A body says how long it is, and none says nothing."""
    assert (
        b"POST / HTTP/1.1\r\nHost: a:1\r\nAccept-Encoding: identity\r\nContent-Length: 2\r\nX: y\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: identity\r\n\r\n",
    ) == (wire("http://a:1/", {"X": "y"}, b"{}"), wire("http://a/", {}))


def test_a_header_cannot_break_out_of_its_line() -> None:
    """Nobody smuggles a second request in."""
    with pytest.raises(ValueError, match="line break"):
        wire("http://a/", {"X": "y\r\nZ: 1"})
