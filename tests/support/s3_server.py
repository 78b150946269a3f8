"""An S3 server for tests: moto's on this machine, with requests that are refused, cut off or held up on the way."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

BUCKET = "pictures"

Fault = Callable[[str, str], int | None]
"""Given method and path of a request: None lets it pass, 0 cuts the connection, another number is the answer."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATESTKEYID", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests"}


@dataclass
class S3Server:
    """What the server does, to be changed while it runs, and what it was asked."""

    endpoint: str = ""
    fault: Fault = lambda method, path: None
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which clients find the server."""
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server with the one, empty bucket `BUCKET` for the block."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = S3Server()
    application = DomainDispatcherApplication(create_backend_app)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        server.asked.append((method, path))
        status = server.fault(method, path)
        if status == 0:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            status = 500  # which nobody reads
        if status is not None:
            code = b"AccessDenied" if status == 403 else b"InternalError"
            start_response(f"{status} refused", [("Content-Type", "application/xml")])
            return [b"<?xml version='1.0'?><Error><Code>%s</Code><Message>refused by the test</Message></Error>" % code]
        found: Iterable[bytes] = application(environ, start_response)
        return found

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line a request
    listening = make_server("127.0.0.1", 0, answer, threaded=True)
    server.endpoint = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        _make_bucket(server)
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def _make_bucket(server: S3Server) -> None:
    import boto3

    boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    ).create_bucket(Bucket=BUCKET)
