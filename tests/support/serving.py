"""A web server for tests: a folder over http, with range requests or without, and with connections that drop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Served:
    """What the server does, to be changed while it runs, and what it has sent."""

    root: Path
    ranges: bool = True
    drop: int = 0
    """How many of the next requests end without an answer."""
    break_off: int = 0
    """How many of the next answers end half-way, after all bytes were promised."""
    nonsense: int = 0
    """How many of the next requests are answered by what is no HTTP."""
    url: str = ""
    sent: list[tuple[str, int]] = field(default_factory=list)
    """Path and bytes of each answer."""


@contextlib.contextmanager
def serving(root: Path) -> Iterator[Served]:
    """Serve a folder under `Served.url` for the block."""
    served = Served(root)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if served.drop > 0:
                served.drop -= 1
                self.close_connection = True
                return
            if served.nonsense > 0:
                served.nonsense -= 1
                self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
                self.close_connection = True
                return
            path = served.root / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data, status = path.read_bytes(), 200
            asked = self.headers.get("Range")
            if asked and served.ranges:
                first, last = asked.removeprefix("bytes=").split("-")
                if int(first) >= len(data):
                    self.send_error(416)
                    return
                data, status = data[int(first) : int(last) + 1], 206
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            served.sent.append((self.path, len(data)))  # before whoever asked can look
            if served.break_off > 0:
                served.break_off -= 1
                self.close_connection = True
                data = data[: len(data) // 2]
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
