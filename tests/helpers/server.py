"""A server on this machine that plays the public places, well or badly."""

from __future__ import annotations

import collections
import http.server
import pathlib
import threading
import time
import urllib.parse
from typing import Any

OK = "ok"
CUT = "cut"
"""Promises the whole file and breaks off in the middle."""
SHORT = "short"
"""Sends the first half and calls it the whole."""
STALL = "stall"
"""Sends the first half and nothing more, until the server is closed."""
SLOW = "slow"
"""Answers after a second."""

_PIECE = 16_384


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: Server

    def do_GET(self) -> None:
        path = urllib.parse.unquote(self.path)
        answer = self.owner._answer(path)
        file = self.owner.folder / path.lstrip("/")
        password = self.owner.password
        if password is not None and self.headers.get("Authorization") != password:
            self.send_error(401)
        elif isinstance(answer, int):
            self.send_error(answer)
        elif not file.is_file():
            self.send_error(404)
        else:
            self._send(file.read_bytes(), answer)

    def _send(self, data: bytes, answer: str) -> None:
        if answer == SLOW:
            time.sleep(1)
        half = data[: len(data) // 2]
        self.send_response(200)
        self.send_header("Content-Length", str(len(half if answer == SHORT else data)))
        self.end_headers()
        self._write(data if answer in (OK, SLOW) else half)
        if answer == STALL:
            self.owner._closing.wait(60)

    def _write(self, data: bytes) -> None:
        rate = self.owner.bytes_per_second
        if not rate:
            self.wfile.write(data)
            return
        for start in range(0, len(data), _PIECE):
            self.wfile.write(data[start : start + _PIECE])
            time.sleep(_PIECE / rate)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Says nothing when a client hangs up, as those do that only ask."""


class Server:
    """Serves a folder; a context manager.

    Attributes:
      folder: what it serves.
      url: its base.
      answers: what to do at the next requests of paths that end so, instead of serving the file:
        a status of HTTP, or one of the names above. The last is kept.
      asked: the paths of all requests so far.
      password: what the header Authorization must hold, if anything.
      bytes_per_second: how fast it sends each file; None for as fast as it can.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        password: str | None = None,
        bytes_per_second: float | None = None,
    ):
        self.folder, self.password, self.bytes_per_second = folder, password, bytes_per_second
        self.answers: dict[str, list[int | str]] = {}
        self.asked: list[str] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def _answer(self, path: str) -> int | str:
        with self._lock:
            self.asked.append(path)
            for end, answers in self.answers.items():
                if path.endswith(end):
                    return answers.pop(0) if len(answers) > 1 else answers[0]
            return OK

    @property
    def downloads(self) -> collections.Counter[str]:
        """How often each file was asked for, by name."""
        return collections.Counter(path.rsplit("/", 1)[-1] for path in self.asked)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
