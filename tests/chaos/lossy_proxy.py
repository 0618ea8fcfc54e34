# SPDX-License-Identifier: Apache-2.0
"""A Unix socket before another one that can lose an answer: the request is carried out, and nobody hears of it."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK_BYTES = 1 << 20
ANSWER_SECONDS = 5.0


class LossyProxy:
    """Passes bytes on, and cuts the connection after the next request that contains a certain text."""

    def __init__(self, place: Path, target: Path) -> None:
        self.place, self._target = place, target
        self.lost = 0
        self._text: bytes | None = None
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place))
        self._listener.listen(64)

    def lose_answer_to(self, text: str) -> None:
        """The answer to the next request with this text in it is lost."""
        with self._lock:
            self._text = text.encode()

    def serve(self) -> None:
        """Takes connections until `close`."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pass(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            try:
                far.connect(str(self._target))
                while self._pass_once(near, far):
                    pass
            except OSError:
                return  # one end is gone, so the other one goes too

    def _pass_once(self, near: socket.socket, far: socket.socket) -> bool:
        """Whether the connection goes on after the bytes that came next."""
        readable, _, _ = select.select([near, far], [], [])
        if far in readable:
            answer = far.recv(CHUNK_BYTES)
            near.sendall(answer)
            return bool(answer)
        request = near.recv(CHUNK_BYTES)
        far.sendall(request)
        if not self._is_to_be_lost(request):
            return bool(request)
        select.select([far], [], [], ANSWER_SECONDS)
        self.lost += 1
        return False

    def _is_to_be_lost(self, request: bytes) -> bool:
        with self._lock:
            if self._text is None or self._text not in request:
                return False
            self._text = None
            return True


@contextmanager
def lossy_proxy(place: Path, target: Path) -> Iterator[LossyProxy]:
    """A proxy that serves within the block."""
    proxy = LossyProxy(place, target)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
