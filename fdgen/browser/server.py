"""Serves the page on loopback, for one person, with the standard library alone."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fdgen.browser.answers import Answers
from fdgen.browser.request_guard import HEADERS, RefusedError, RequestGuard
from fdgen.errors import FdError, one_line

HOST = "127.0.0.1"

CONNECTIONS = 64
"""Connections at once, each a thread; a browser opens six."""

ROOM_S = 0.5
"""Seconds for which one beyond them waits: whoever scrolls far drops connections faster than they end here."""

IDLE_S = 60
"""Seconds after which a connection that asks nothing is closed."""


@contextlib.contextmanager
def serving(answers: Answers, *, port: int, on_fault: Callable[[str], None] | None = None) -> Iterator[str]:
    """Serve the page for the block, and yield its address, which nobody can guess.

    Args:
        answers: What is served.
        port: Port of 127.0.0.1 to listen on; 0 is any free one.
        on_fault: Called with a sentence on what could not be answered, each once; None for nobody.

    Raises `FdError` where the port is taken.
    """
    guard = RequestGuard(secrets.token_urlsafe(12))
    try:
        server = _Server((HOST, port), answers, guard, on_fault)
    except OSError as error:
        raise FdError(f"the page cannot be served on port {port}: it is taken", hint="name another --port") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}/{guard.token}/"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        answers: Answers,
        guard: RequestGuard,
        on_fault: Callable[[str], None] | None,
    ) -> None:
        self.answers, self.guard = answers, guard
        self._on_fault, self._told = on_fault, set[str]()
        self._telling = threading.Lock()
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or close the connection where there are too many."""
        if not self._room.acquire(timeout=ROOM_S):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a fault of ours; say nothing of browsers that close a connection while they are answered."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            self.fault(f"an answer failed at {place}: {type(error).__name__}: {error}")

    def fault(self, sentence: str) -> None:
        """Report what could not be answered, once: a page asks for many pictures of one shard."""
        with self._telling:
            is_new = sentence not in self._told
            self._told.add(sentence)
        if is_new and self._on_fault is not None:
            self._on_fault(one_line(sentence))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fdgen", ""
    disable_nagle_algorithm = True  # else an answer of two parts waits 40 ms for an acknowledgement
    wbufsize = -1
    timeout = IDLE_S

    def _answer(self) -> None:
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        try:
            if "content-length" in headers or "transfer-encoding" in headers:
                self.close_connection = True  # nothing here reads a body
            path = self.server.guard.check(self.command, self.path, headers)
            kind, body, stays = self.server.answers.answer(path)
        except RefusedError as refused:
            self._send(refused.status, "text/plain; charset=utf-8", f"{refused.sentence}\n".encode())
        except FdError as error:
            self.server.fault(f"{error.message}; {error.hint}" if error.hint else error.message)
            text = json.dumps({"wrong": error.message, "hint": error.hint})
            self._send(500, "application/json; charset=utf-8", text.encode())
        else:
            self._send(200, kind, body, stays=stays)

    def _send(self, status: int, kind: str, body: bytes, *, stays: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # Kept by the page while it is open; the address is another with the next run.
        self.send_header("Cache-Control", "private, max-age=3600, immutable" if stays else "no-store")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _answer

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: standard error is for people."""
