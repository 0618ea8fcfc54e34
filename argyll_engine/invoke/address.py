# SPDX-License-Identifier: Apache-2.0
"""Where an HTTP request goes, and how it reads on the wire. Pure functions; sending is `connections.py`."""

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from argyll_engine.invoke.request import HttpRequest

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
PLACES: Final = 1_024
"""Places that are kept, so that their URLs need not be taken apart again."""
_PLAIN_TARGET: Final = re.compile(r"[%/?:@!$&'()*+,;=~\w.-]+", re.ASCII)
_KEPT_IN_TARGET: Final = "%/?:@!$&'()*+,;=~"  # besides letters, digits and - _ . ~; the same as above
_BREAKS: Final = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Place:
    """A server: connections to the same one are interchangeable. `host` as sockets want it."""

    is_secure: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """A place, and what requests to it say: the Host header, and credentials that the URL has (empty for none)."""

    place: Place
    host_header: str
    authorization: str


def address_of(url: str) -> Address | str:
    """Where a URL leads; the reason if it leads nowhere."""
    try:
        parts = urlsplit(url)
        return _address(parts.scheme, parts.netloc)
    except ValueError as exc:
        return str(exc)


@lru_cache(PLACES)
def _address(scheme: str, netloc: str) -> Address | str:
    parts = SplitResult(scheme, netloc, "", "", "")
    if scheme not in DEFAULT_PORTS:
        return f"not supported URL scheme {scheme}"
    if not parts.hostname:
        return "no host specified"
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    if any(char <= " " or char == "\x7f" for char in host):
        return "control characters in the host"
    port = DEFAULT_PORTS[scheme] if parts.port is None else parts.port
    shown = f"[{host}]" if ":" in host else host
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    return Address(
        Place(scheme == "https", host, port),
        shown if port == DEFAULT_PORTS[scheme] else f"{shown}:{port}",
        f"Basic {base64.b64encode(credentials.encode('latin-1')).decode()}" if credentials else "",
    )


def on_the_wire(request: HttpRequest, address: Address) -> bytes:
    """All bytes of a request. The path goes out as it was written: nobody takes `..` segments out of it.

    Raises:
        ValueError: a header cannot be sent.
    """
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _PLAIN_TARGET.fullmatch(target):
        target = quote(target, safe=_KEPT_IN_TARGET)
    headers = {"Host": address.host_header, "Accept-Encoding": "identity"}
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    headers.update(request.headers)
    if address.authorization:
        headers["Authorization"] = address.authorization
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if any(map(_BREAKS.search, lines)):
        raise ValueError("a header has a line break in it")
    head = "\r\n".join((f"{request.method} {target} HTTP/1.1", *lines, "\r\n"))
    return head.encode("latin-1") + (request.body or b"")
