# SPDX-License-Identifier: Apache-2.0
"""Signs of life of one flow over the WebSocket, for as long as it takes. Called by `flows.py`.

A connection that ends is made again. What was missed meanwhile is not told here: each beginning is a sign too, and
whoever watches looks at the flow then. Source: the contract, http §4.
"""

import json
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from argyll_api.client.answers import Event
from argyll_api.client.errors import NotInTimeError, UnavailableError
from argyll_api.client.retries import Retries
from argyll_api.client.transport import CONNECT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is watched: a flow, at an engine, these types of events (none: all), until a monotonic time."""

    base: str
    flow_id: str
    types: Sequence[str] = ()
    retries: Retries
    ends_at: float | None = None

    @property
    def url(self) -> str:
        """Where the WebSocket is."""
        return self.base.replace("http", "ws", 1) + "/engine/ws"

    def signs(self) -> Generator[Event | None, None, None]:
        """Events as they come; None when the watch begins, and whenever it has begun anew.

        Raises:
            NotInTimeError: The time is over.
            UnavailableError: No connection came about in as many tries as there may be.
        """
        failed = 0
        while True:
            try:
                with self._connection() as socket:
                    socket.send(self._subscription())
                    while True:
                        frame = self._receive(socket)
                        failed = 0
                        yield None if frame["type"] == "subscribed" else Event.from_json(frame)
            except (OSError, WebSocketException) as exc:
                failed += 1
                if failed > self.retries.count:
                    message = f"no WebSocket at {self.url}: {exc}"
                    raise UnavailableError(message, request=f"GET {self.url}") from exc
            self._pause(self.retries.pause_seconds(failed))

    def _connection(self) -> ClientConnection:
        return connect(
            self.url, compression=None, proxy=None, max_size=None, open_timeout=CONNECT_SECONDS, close_timeout=1
        )

    def _subscription(self) -> str:
        paths = [["flow", self.flow_id]]
        wanted: dict[str, Any] = {"sub_id": "watch", "aggregate_ids": paths, "event_types": list(self.types)}
        return json.dumps({"type": "subscribe", "data": wanted})

    def _receive(self, socket: ClientConnection) -> Any:
        try:
            return json.loads(socket.recv(timeout=self._left_seconds()))
        except TimeoutError as exc:
            raise self._too_late() from exc

    def _pause(self, seconds: float) -> None:
        left = self._left_seconds()
        if left is not None and left < seconds:
            time.sleep(left)
            raise self._too_late()
        time.sleep(seconds)

    def _left_seconds(self) -> float | None:
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())

    def _too_late(self) -> NotInTimeError:
        return NotInTimeError(f"flow {self.flow_id}: not in time", request=f"GET {self.url}")
