"""Serving the page: on loopback unless told otherwise, without anything from the internet, and nothing left behind."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from fdgen.errors import FdError
from fdtrain.demo.storage import private_folder
from fdtrain.photo_restorer import PhotoRestorer

EXTRA = "run `pip install 'fd-stackgan[demo]'`"

MOST_BYTES = 80 * 2**20
"""Larger files are refused while they are sent."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; frame-ancestors 'none'"
)
"""Tells browsers to fetch nothing from elsewhere, whatever gradio's page asks for."""

Message = MutableMapping[str, Any]


@dataclass(frozen=True)
class Served:
    """A page that is being served: where, and whether what visitors send lies in memory."""

    url: str
    folder: Path
    in_memory: bool


@contextlib.contextmanager
def serving(restorer: PhotoRestorer, *, host: str, port: int) -> Iterator[Served]:
    """Serve the page for the block; port 0 is any free one. Raises `FdError` where that cannot be.

    gradio is imported here, since it reads its settings from the environment as it is imported.
    """
    with private_folder() as (folder, in_memory):
        os.environ.update(
            GRADIO_TEMP_DIR=str(folder),
            GRADIO_ANALYTICS_ENABLED="False",
            GRADIO_RUN_HISTORY="False",
            GRADIO_SHARE="False",
            HF_HUB_OFFLINE="1",
            HF_HUB_DISABLE_TELEMETRY="1",
        )
        gr = require_gradio()
        from fdtrain.demo.page import CSS, build_page

        page = build_page(restorer, folder)
        try:
            _, url, _ = page.launch(
                server_name=host,
                server_port=port or _free_port(host),
                share=False,
                inbrowser=False,
                quiet=True,
                prevent_thread_lock=True,
                show_error=False,
                ssr_mode=False,
                run_history=False,
                enable_monitoring=False,
                mcp_server=False,
                pwa=False,
                footer_links=[],
                max_file_size=MOST_BYTES,
                state_session_capacity=64,
                theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
                css=CSS,
                app_kwargs={"middleware": [gr_middleware()]},
            )
        except OSError as error:
            raise FdError(
                f"the page cannot be served on {host}, port {port}: {error}", hint="name another --port, or --host"
            ) from error
        try:
            yield Served(url, folder, in_memory)
        finally:
            page.close(verbose=False)


def wait() -> None:
    """Return when the process is asked to end (SIGTERM); Ctrl-C raises `KeyboardInterrupt`, as always."""
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    before = signal.signal(signal.SIGTERM, ask)
    try:
        while not asked.wait(1.0):
            pass
    finally:
        signal.signal(signal.SIGTERM, before)


def gr_middleware() -> Any:
    """Return the middleware that sends the policy with every answer."""
    from starlette.middleware import Middleware

    return Middleware(_Policy)


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
                ]
            await send(message)

        await self.app(scope, receive, with_policy)


def require_gradio() -> Any:
    """Import gradio; raise `FdError` where it is not there."""
    try:
        return importlib.import_module("gradio")
    except ImportError as error:
        raise FdError(f"the page needs gradio, which cannot be imported: {error}", hint=EXTRA) from error


def _free_port(host: str) -> int:
    import socket

    with socket.socket() as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])
