# SPDX-License-Identifier: Apache-2.0
"""One HTTP/1.1 connection: one request at a time goes out, and its answer comes in. Opened by `connections.py`.

httptools takes answers apart; what there is of them and when they are complete is decided here. Belongs to the thread
of its event loop.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD_BYTES: Final = 1_048_576
"""Of status line and headers; what sends more is no step."""
SWITCHING: Final = 101
NO_ANSWER: Final = "connection closed before an answer"
BROKEN_OFF: Final = "connection closed in the middle of the answer"
_ANY_WINDOW: Final = 47  # zlib: gzip or zlib, whichever the data begin with
_RAW_WINDOW: Final = -15  # zlib: neither's head


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status line and headers. Header names are in lower case; of several of a name it is the first."""

    status: int
    reason: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of an answer: the body too, and how much of it; a longer one is cut off somewhere behind."""

    has_body: Callable[[Head], bool]
    max_body_bytes: int


class Connection(asyncio.Protocol):
    """Implements asyncio's protocol, and httptools' callbacks."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None  # asyncio's transports differ in their base class
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True, lenient_optional_lf_after_cr=True, lenient_data_after_close=True
        )
        self._answer: asyncio.Future[tuple[Head, bytes]] | None = None
        self._wish: Wish | None = None
        self._is_open = False
        self._head: Head | None = None
        self._head_bytes = 0
        self._reason = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._is_enough = self._is_complete = self._is_kept = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may go out on it."""
        return self._is_open and self._answer is None

    async def exchange(self, payload: bytes, wish: Wish) -> tuple[Head, bytes]:
        """The answer to a request: its head, and its body as far as it is wanted.

        Raises:
            OSError: there was none, or not all of it.
        """
        if not self.is_reusable:
            raise ConnectionError(NO_ANSWER)
        self._begin()
        self._wish = wish
        self._answer = self._loop.create_future()
        self._transport.write(payload)
        try:
            return await self._answer
        finally:
            self._answer = self._wish = None
            if not self._is_kept:
                self.close()

    def close(self) -> None:
        """Give the connection up at once."""
        self._is_open = False
        self._transport.abort()

    # ---- asyncio ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport, self._is_open = transport, True

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._answer is None or self._answer.done():
            self.close()  # nobody has asked
            return
        if self._head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._is_kept = False
        except HttpParserError as exc:
            self._is_kept = False
            if not self._is_complete:
                self._fail(ConnectionError(f"not HTTP: {exc}"))
                return
        if self._is_complete:
            self._finish()
        elif self._is_enough:
            self._is_kept = False
            self._finish()
        elif self._head is None and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(ConnectionError("the head of the answer has no end"))

    def eof_received(self) -> None:
        """See asyncio.Protocol. At once, for the next request may be about to go out."""
        self._is_open = False

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._is_open = self._is_kept = False
        if self._answer is None or self._answer.done():
            return
        if exc is not None:
            self._fail(exc)
        elif self._head is not None and self._ends_with_connection(self._head):
            self._finish()
        else:
            self._fail(ConnectionError(NO_ANSWER if self._head is None else BROKEN_OFF))

    # ---- httptools ----

    def on_message_begin(self) -> None:
        """See httptools."""
        if self._is_complete:
            self._is_kept = False  # more than was asked for

    def on_status(self, reason: bytes) -> None:
        """See httptools."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        if not self._is_complete:
            self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """See httptools."""
        status = self._parser.get_status_code()
        if self._is_complete or self._is_preliminary(status):
            return
        self._head = Head(status=status, reason=self._reason.decode("latin-1"), headers=self._headers)
        self._is_enough = self._wish is not None and not self._wish.has_body(self._head)

    def on_body(self, piece: bytes) -> None:
        """See httptools."""
        if self._is_complete or self._wish is None or self._is_enough:
            return
        self._body += piece
        self._is_enough = len(self._body) > self._wish.max_body_bytes

    def on_message_complete(self) -> None:
        """See httptools."""
        if self._is_complete:
            return
        if self._head is None:
            self._headers, self._reason = {}, b""  # a preliminary answer; the real one follows
        else:
            self._is_complete = True
            self._is_kept = self._parser.should_keep_alive() and not self._is_enough_of_body

    # ---- parts ----

    def _begin(self) -> None:
        self._head, self._head_bytes, self._reason, self._headers = None, 0, b"", {}
        self._body = bytearray()
        self._is_enough = self._is_complete = self._is_kept = False

    @property
    def _is_enough_of_body(self) -> bool:
        return self._wish is not None and len(self._body) > self._wish.max_body_bytes

    def _is_preliminary(self, status: int) -> bool:
        return 100 <= status < 200 and status != SWITCHING

    def _ends_with_connection(self, head: Head) -> bool:
        headers = head.headers
        return "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "").lower()

    def _finish(self) -> None:
        if self._answer is None or self._answer.done() or self._head is None:
            return
        assert self._wish is not None
        try:
            body = unpacked(bytes(self._body), self._head.headers, self._wish.max_body_bytes)
        except zlib.error as exc:
            self._fail(ConnectionError(f"content-encoding: {exc}"))
        else:
            self._answer.set_result((self._head, body))

    def _fail(self, exc: Exception) -> None:
        self._is_kept = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc)


def unpacked(body: bytes, headers: Mapping[str, str], max_bytes: int) -> bytes:
    """A body without its content encoding, which nobody has asked for; little more than `max_bytes` of it.

    Raises:
        zlib.error: it is not what its header says.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    if not body or encoding not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(_ANY_WINDOW).decompress(body, max_bytes + 1)
    except zlib.error:
        if encoding != "deflate":
            raise
        return zlib.decompressobj(_RAW_WINDOW).decompress(body, max_bytes + 1)
