"""A stand-in of the Hub's HTTP interface on loopback: one repository of a model, whose files are listed and fetched."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextlib.contextmanager
def stand_in_hub(repo: str, files: dict[str, bytes]) -> Iterator[str]:
    """Serve `files` as the model `repo` at revisions main, v1 and `COMMIT`; yield the address for HF_ENDPOINT.

    What is committed is added to `files`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_POST(self) -> None:
            path = self.path.partition("?")[0].strip("/")
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            answer: dict[str, object] = {"url": f"http://127.0.0.1/{repo}", "name": repo}
            if path.endswith("/preupload/main"):
                answer = {
                    "files": [
                        {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                        for one in json.loads(sent)["files"]
                    ]
                }
            elif path.endswith("/commit/main"):
                for line in map(json.loads, sent.splitlines()):
                    if line["key"] == "file":
                        files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                answer = {"commitUrl": f"http://127.0.0.1/{repo}/commit/{COMMIT}", "commitOid": COMMIT}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0].strip("/")
            if path in (
                f"api/models/{repo}",
                *(f"api/models/{repo}/revision/{name}" for name in ("main", "v1", COMMIT)),
            ):
                siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
                body, headers = json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode(), {}
            elif (name := path.removeprefix(f"{repo}/resolve/{COMMIT}/")) in files:
                body = files[name]
                headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(body).hexdigest()}"'}
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RevisionNotFound" if repo in path else "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
