"""Serves the page: on loopback by default, without anything from the internet, and without leftovers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from fdgen.errors import FdError
from fdtrain.demo.offer import Offer
from fdtrain.demo.quota import MB, Limits, Quota
from fdtrain.demo.request_filter import EVERY_ADDRESS, RequestFilter, hosts_of
from fdtrain.demo.storage import private_folder

if TYPE_CHECKING:
    from fastapi import FastAPI

EXTRA = "run `pip install 'fd-stackgan[demo]'`"

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; frame-ancestors 'none'"
)
"""Makes browsers fetch nothing from elsewhere, even what gradio's page asks for."""

NARROW = "<style>@media (max-width: 640px) { .gradio-container > .main { padding: 8px 12px !important; } }</style>"
"""Margins of gradio's own frame on phones: rules that are given as `css` reach only what is inside of it."""

SESSIONS = 64
"""Visitors whose photographs are kept in memory; the oldest goes."""

CONNECTIONS = 512
"""Connections at once; more are answered with 503."""

STARTED_S, ENDED_S = 60.0, 10.0
"""How long a server may take to start and to end, in seconds."""

Message = MutableMapping[str, Any]


@dataclass(frozen=True)
class Served:
    """A page that is being served: where, and whether what visitors send lies in memory."""

    url: str
    folder: Path
    in_memory: bool


@contextlib.contextmanager
def serving(
    offer: Offer, *, host: str, port: int, also: Iterable[str] = (), limits: Limits | None = None
) -> Iterator[Served]:
    """Serve the page for the block.

    gradio is imported here, since it reads its settings from the environment as it is imported.

    Args:
        offer: Models, their cards, and examples.
        host: Address to listen on.
        port: Port to listen on; 0 is any free one.
        also: Further values of the Host header to be served, those of a proxy say.
        limits: What visitors may do; None takes the defaults.

    Raises `FdError` where that cannot be.
    """
    require_gradio()
    limits = limits or Limits()
    with private_folder() as (folder, in_memory), _listening(host, port) as listener:
        os.environ.update(
            GRADIO_TEMP_DIR=str(folder),
            GRADIO_ANALYTICS_ENABLED="False",
            GRADIO_RUN_HISTORY="False",
            GRADIO_SHARE="False",
            HF_HUB_OFFLINE="1",
            HF_HUB_DISABLE_TELEMETRY="1",
        )
        from fdtrain.demo.page import build_page, page_css

        port = int(listener.getsockname()[1])
        quota = Quota(limits, folder)
        page = build_page(offer, folder, quota)
        app = application(
            page,
            css=page_css(offer),
            most_bytes=limits.upload_mb * MB,
            request_filter={
                "hosts": hosts_of(host, port, also),
                "quota": quota,
                "folder": folder,
                "by_address": host in EVERY_ADDRESS,
            },
        )
        with _running(app, listener):
            name = "localhost" if host in EVERY_ADDRESS else f"[{host}]" if ":" in host else host
            try:
                yield Served(f"http://{name}:{port}/", folder, in_memory)
            finally:
                page.close(verbose=False)


def application(page: Any, *, css: str, most_bytes: int, request_filter: dict[str, Any]) -> FastAPI:
    """Return the application: the page behind the filter of requests, all that is answered under the policy."""
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.middleware import Middleware
    from fastapi.middleware.cors import CORSMiddleware

    app = FastAPI(
        openapi_url=None,
        # From outside to inside. The last allows no other origin anything; without it gradio allows all of loopback.
        middleware=[Middleware(_Policy), Middleware(RequestFilter, **request_filter), Middleware(CORSMiddleware)],
    )
    page.state_session_capacity = SESSIONS
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=most_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=css,
        head=NARROW,
    )
    # As `launch` does: without it gradio trusts what visitors say of files as what the page itself says, opens any path
    # that they name, and ends no stream.
    page.server_app = page.app = app.routes[-1].app  # type: ignore[attr-defined]
    page.has_launched = page.is_running = True
    return app


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port for the block; raise `FdError` where it is taken, or the address is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        with contextlib.ExitStack() as undo:
            undo.callback(listener.close)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
            undo.pop_all()
    except OSError as error:
        raise FdError(
            f"the page cannot be served on {host}, port {port}: it is taken, or not this machine's",
            hint="name another --port, or --host",
        ) from error
    with contextlib.closing(listener):
        yield listener


@contextlib.contextmanager
def _running(app: FastAPI, listener: socket.socket) -> Iterator[None]:
    """Run the application in a thread for the block; raise `FdError` where it does not start."""
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            proxy_headers=False,  # whoever asks could name any address as its own
            server_header=False,
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    end_s = time.monotonic() + STARTED_S
    while not server.started and thread.is_alive() and time.monotonic() < end_s:
        time.sleep(0.02)
    if not server.started:
        raise FdError("the page does not start", hint="run it again with --debug")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(ENDED_S)


@contextlib.contextmanager
def until_asked_to_end() -> Iterator[Callable[[], None]]:
    """Yield what waits until the process is asked to end (SIGTERM); Ctrl-C raises `KeyboardInterrupt`, as always.

    In the whole block SIGTERM only asks: outside of it, it ends the process at once, and files stay.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    def wait() -> None:
        while not asked.wait(1.0):
            pass

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield wait
    finally:
        signal.signal(signal.SIGTERM, before)


class _Policy:
    """Adds headers to every answer; streams pass through."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[..., Any], send: Callable[..., Awaitable[None]]) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cross-origin-resource-policy", b"same-origin"),
                ]
            await send(message)

        await self.app(scope, receive, with_policy)


def require_gradio() -> None:
    """Raise `FdError` where gradio is not there. Does not import it."""
    if util.find_spec("gradio") is None:
        raise FdError("the page needs gradio, which is not installed", hint=EXTRA)
