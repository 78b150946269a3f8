"""The filter of requests to the page: who may ask, for what, from where, and how much may be sent.

    host asked for? --> a route of the page? --> from the page itself? --> within the quota? --> gradio

A web site can make its visitors' browsers send requests to a page on their own machine, and by a name that it points
there (DNS rebinding) it could even read the answers. So only names that were asked for are served, and only the page
itself may send. gradio has routes that the page never uses, some of which fetch what a URL names: they are closed.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

from fdtrain.demo.quota import LEAST_COUNTED, MB, Quota, RefusedError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to

UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"

SENT = {UPLOAD: None, JOIN: 4 * MB, "/gradio_api/cancel": LEAST_COUNTED, "/gradio_api/reset": LEAST_COUNTED}
"""Routes that the page sends to, and the most bytes of each; of uploads the limits decide."""

READ = ("/", "/config", "/favicon.ico", "/manifest.json", "/robots.txt", "/theme.css", "/gradio_api/info",
        "/gradio_api/queue/data", "/gradio_api/startup-events", "/gradio_api/theme.css", "/gradio_api/upload_progress",
        )  # fmt: skip
READ_BELOW = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/")
"""Routes that the page reads, and folders of such. It also reads the files of the visitors' folder."""

FILE = "/gradio_api/file="


class RequestFilter:
    """ASGI middleware. `hosts` are the values of the Host header that are served, `folder` holds the visitors' files.

    With `by_address`, an address counts too by which the visitor reached this machine.
    """

    def __init__(self, app: App, *, hosts: Iterable[str], quota: Quota, folder: Path, by_address: bool = False) -> None:
        self.app, self.quota, self.folder = app, quota, folder
        self.hosts, self.by_address = frozenset(host.lower() for host in hosts), by_address

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a sentence."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            headers = _headers(scope)
            self._refuse_host(scope, headers)
            self._refuse_route(scope)
            self._refuse_foreign(scope, headers)
            if scope["method"] == "POST":
                await self._let_in(scope, headers, receive, send)
                return
        except RefusedError as refused:
            await _answer(refused, scope, send)
            return
        await self.app(scope, receive, send)

    def _refuse_host(self, scope: Message, headers: dict[str, str]) -> None:
        host = headers.get("host", "").lower()
        reached = _netloc(*scope["server"]) if self.by_address and scope.get("server") else None
        if host not in self.hosts and host != reached:
            raise RefusedError(421, "This page is not served by that name: open the address that its program prints.")

    def _refuse_route(self, scope: Message) -> None:
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            if method == "POST" and path in SENT:
                return
            if method in ("GET", "HEAD"):
                ours = path.startswith(FILE) and self._holds(path.removeprefix(FILE))
                if ours or path in READ or path.startswith(READ_BELOW):
                    return
        raise RefusedError(404, "This page has nothing here.")

    def _refuse_foreign(self, scope: Message, headers: dict[str, str]) -> None:
        """Raise `RefusedError` unless the page itself asks, or somebody opens it."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        ours = [f"{scheme}://{headers['host'].lower()}" for scheme in ("http", "https")]  # https: behind a proxy
        sends = scope["method"] not in ("GET", "HEAD")
        opened = not sends and scope["path"] == "/" and headers.get("sec-fetch-dest") == "document"
        foreign = (origin is not None and origin.lower() not in ours) or (
            site not in (None, "none", "same-origin") and not opened
        )
        if foreign or (sends and origin is None and site != "same-origin"):
            raise RefusedError(403, "Only this page itself may ask this of its server.")

    async def _let_in(self, scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> None:
        """Let a request in that sends something: counted while it comes, and stopped where it becomes too much."""
        visitor, path = _visitor(scope), scope["path"]
        most = SENT[path] or self.quota.limits.upload_mb * MB
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise _too_large(most)
        self.quota.admit(visitor, max(int(length), LEAST_COUNTED))
        taken, whole, began, refusals = 0, False, False, list[RefusedError]()

        async def counted() -> Message:
            nonlocal taken, whole
            message = await receive()
            if whole:
                return message
            n_bytes, whole = len(message.get("body", b"")), not message.get("more_body")
            try:
                if message["type"] != "http.request":
                    raise RefusedError(400, "This request was cut short.")
                self.quota.charge(visitor, n_bytes if taken else max(n_bytes, LEAST_COUNTED))
                taken += n_bytes
                if taken > most:
                    raise _too_large(most)
            except RefusedError as refused:
                refusals.append(refused)
                raise
            return message

        async def unless_refused(message: Message) -> None:
            nonlocal began
            if refusals:
                return  # what the application makes of a body that was cut
            began = True
            if path == JOIN and message["type"] == "http.response.start" and message["status"] >= 400:
                self.quota.leave(visitor)
            await send(message)

        try:
            if path == JOIN:
                body = await _whole(counted)
                self._refuse_paths(body)
                self.quota.join(visitor)
                await self.app(scope, _once(body, receive), unless_refused)
            else:
                await self.app(scope, counted, unless_refused)
        except RefusedError as refused:
            refusals[:1] = [refused]
        if refusals and not began:
            raise refusals[0]

    def _refuse_paths(self, body: bytes) -> None:
        """Raise `RefusedError` where a file is named that is no visitor's: gradio would fetch what a URL names."""
        try:
            waiting = [json.loads(body)]
        except (ValueError, RecursionError) as error:
            raise RefusedError(400, "This request is not one of the page's.") from error
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                path = value.get("path")
                if path and not (isinstance(path, str) and self._holds(path)):
                    raise RefusedError(403, "Only photographs that were given to this page can be restored.")
                waiting += value.values()
            elif isinstance(value, list):
                waiting += value

    def _holds(self, path: str) -> bool:
        return os.path.normpath(path).startswith(f"{self.folder}{os.sep}")


def hosts_of(host: str, port: int, also: Iterable[str] = ()) -> list[str]:
    """Return the values of the Host header by which a page is asked for that is served on `host`; `also` are more.

    >>> hosts_of("localhost", 7860)
    ['127.0.0.1:7860', 'localhost:7860', '[::1]:7860']
    >>> hosts_of("192.0.2.1", 80, ["faces.example.org"])
    ['192.0.2.1:80', '192.0.2.1', 'faces.example.org']
    """
    names = [_netloc(host)]
    if host in EVERY_ADDRESS:
        names = [*LOOPBACK, socket.gethostname()]
    elif names[0] in LOOPBACK:
        names = [*LOOPBACK]
    bare = names if port == 80 else []  # browsers leave out the port of http
    return [*(f"{name}:{port}" for name in names), *bare, *also]


def _netloc(host: str, port: int | None = None) -> str:
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return name if port is None else f"{name}:{port}"


def _headers(scope: Message) -> dict[str, str]:
    """Return headers by their names in lower case; raise `RefusedError` where one that decides comes twice."""
    found: dict[str, str] = {}
    for name_bytes, value in scope["headers"]:
        name = name_bytes.decode("latin-1").lower()
        if name in found and name in ("host", "origin", "content-length", "sec-fetch-site"):
            raise RefusedError(400, "This request contradicts itself.")
        found[name] = value.decode("latin-1").strip()
    return found


def _visitor(scope: Message) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"This is too large: the page takes up to {most // MB or 1} MB at once.")


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _once(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then what comes next."""
    bodies = [body]

    async def given() -> Message:
        return {"type": "http.request", "body": bodies.pop(), "more_body": False} if bodies else await receive()

    return given


async def _answer(refused: RefusedError, scope: Message, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refused.sentence})
        return
    kind, text = b"application/json", json.dumps({"detail": refused.sentence})
    if scope["path"] == UPLOAD:  # of which the page shows all that it gets
        kind, text = b"text/plain; charset=utf-8", refused.sentence
    body = text.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if refused.after_s is not None:
        headers.append((b"retry-after", str(refused.after_s).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
