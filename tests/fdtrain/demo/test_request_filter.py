"""Who may ask the page's server for what: at the level of headers, and by browsers that visit other sites."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from fdtrain.data.pictures import write_png
from fdtrain.demo.quota import MB
from fdtrain.demo.storage import PREFIX
from fdtrain.run_files import is_locked
from tests.fdtrain.demo.test_demo import Visitor, photo, served, start
from tests.support.browsers import headless_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
EDGE = b"edge"


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[str, Path]]:
    with served("also=faces.example.org", "upload_mb=1") as (url, folder):
        yield url, folder


def ask(
    url: str, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | Iterator[bytes] | None = None
) -> tuple[int, str]:
    """Send a request with these headers, Host too where it is one of them; return status and body."""
    headers, at = dict(headers or {}), urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        chunked = body is not None and not isinstance(body, bytes)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
        elif chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(body, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def own(url: str, **more: str) -> dict[str, str]:
    """Return the headers of an upload by the page itself."""
    return {"Origin": url.rstrip("/"), "Content-Type": f"multipart/form-data; boundary={EDGE.decode()}", **more}


def form(content: bytes, name: str = "a.png") -> bytes:
    """Return a file as browsers send it."""
    head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    return b"--%s\r\n%s%s\r\n--%s--\r\n" % (EDGE, head.encode(), content, EDGE)


def lying(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_names_that_were_asked_for_are_served_and_no_others(page: tuple[str, Path]) -> None:
    url, _ = page
    port = urlsplit(url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}", "faces.example.org"):
        assert ask(url, "GET", "/", {"Host": host})[0] == 200, host
    refused = (
        "evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", f"127.0.0.1.evil.example:{port}",
        f"faces.example.org:{port}", "", f"user@127.0.0.1:{port}", f"127.0.0.1:{port}, evil.example",
    )  # fmt: skip
    for host in refused:
        for path in ("/", "/config", "/gradio_api/info", "/nothing"):
            status, words = ask(url, "GET", path, {"Host": host})
            assert status == 421, (host, path)
            assert json.loads(words)["detail"].startswith("This page is not served by that name")
        assert ask(url, "POST", UPLOAD, own(url, Host=host), form(b"x"))[0] == 421
        assert ask(url, "OPTIONS", UPLOAD, own(url, Host=host, **{"Access-Control-Request-Method": "POST"}))[0] == 421


@pytest.mark.parametrize("lines", ["", "Host: 127.0.0.1\r\nHost: evil.example\r\n"])
def test_a_host_that_is_missing_or_said_twice_is_refused(page: tuple[str, Path], lines: str) -> None:
    at = urlsplit(page[0])
    with socket.create_connection((at.hostname, at.port), timeout=30) as raw:
        raw.sendall(f"GET / HTTP/1.0\r\n{lines}\r\n".encode())
        first = raw.makefile("rb").readline()
    assert first.split()[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
    ids=str,
)
def test_what_another_origin_sends_is_refused_on_every_route(page: tuple[str, Path], headers: dict[str, str]) -> None:
    url, folder = page
    kept = lying(folder)
    if "Sec-Fetch-Site" in headers and headers["Sec-Fetch-Site"] != "none":
        headers = {**headers, "Origin": url.rstrip("/")}  # either of the two is enough to refuse
    for path in (UPLOAD, JOIN, "/gradio_api/cancel", "/gradio_api/reset"):
        content_type = own(url)["Content-Type"] if path == UPLOAD else "text/plain"
        status, words = ask(url, "POST", path, {**headers, "Content-Type": content_type}, form(b"x" * 1000))
        assert (status, "Only this page itself" in words) == (403, True), path
    assert lying(folder) == kept


def test_other_sites_read_nothing_and_may_link_to_the_page(page: tuple[str, Path]) -> None:
    url, _ = page
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    for path in ("/", "/config", "/gradio_api/queue/data?session_hash=a", "/gradio_api/heartbeat/a"):
        assert ask(url, "GET", path, foreign)[0] == 403, path
        assert ask(url, "GET", path, {"Origin": "http://localhost:1"})[0] == 403, path
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(url, "GET", "/?__theme=dark", link)[0] == 200
    assert ask(url, "GET", "/config", link)[0] == 403
    assert ask(url, "GET", "/", {**link, "Sec-Fetch-Dest": "iframe"})[0] == 403


def test_routes_that_the_page_does_not_use_are_closed(page: tuple[str, Path]) -> None:
    url, folder = page
    for method, path in (
        ("GET", "/gradio_api/file=https://example.org/a.png"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", f"/gradio_api/file={folder}/../../etc/passwd"),
        ("GET", f"/gradio_api/file={folder}/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", f"/gradio_api/file={folder}"),
        ("GET", "/gradio_api/proxy=https://example.org/"),
        ("GET", "/monitoring"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("POST", "/gradio_api/run/predict"),
        ("POST", "/gradio_api/call/predict"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/gradio_api/upload/"),
        ("POST", "/"),
        ("PUT", UPLOAD),
        ("DELETE", "/"),
        ("OPTIONS", UPLOAD),
    ):
        status, words = ask(url, method, path, {"Origin": url.rstrip("/")}, b"{}" if method == "POST" else None)
        assert (status, "This page has nothing here." in words) == (404, True), path


def test_websockets_are_closed(page: tuple[str, Path]) -> None:
    url, _ = page
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
    for path, wanted in (("/", 200), (JOIN, 404)):  # answered as if nobody had asked for one
        assert ask(url, "GET", path, {"Connection": "Upgrade", "Upgrade": "websocket", **key})[0] == wanted


@pytest.mark.parametrize("path", ["https://example.org/a.png", "/etc/passwd", "FOLDER/../../etc/passwd", 7, ["/etc"]])
def test_a_file_that_is_no_visitors_is_never_opened(page: tuple[str, Path], path: object) -> None:
    url, folder = page
    named = path.replace("FOLDER", str(folder)) if isinstance(path, str) else path
    file = {"path": named, "meta": {"_type": "gradio.FileData"}, "orig_name": "a.png"}
    body = json.dumps({"data": [file], "fn_index": 0, "session_hash": "a"}).encode()
    for text in (body, body.replace(b"https", b"\\u0068ttps")):
        status, words = ask(url, "POST", JOIN, {"Origin": url.rstrip("/"), "Content-Type": "application/json"}, text)
        assert (status, "given to this page" in words) == (403, True)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"a":' * 50_000])
def test_a_request_that_is_no_json_is_refused_in_a_sentence(page: tuple[str, Path], body: bytes) -> None:
    url, _ = page
    asked = ask(url, "POST", JOIN, {"Origin": url.rstrip("/"), "Content-Type": "application/json"}, body)
    assert asked == (400, json.dumps({"detail": "This request is not one of the page's."}))


def test_the_page_itself_may_send(page: tuple[str, Path]) -> None:
    url, folder = page
    for headers in (own(url), {**own(url), "Origin": url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}):
        status, words = ask(url, "POST", UPLOAD, headers, form(b"x" * 1000))
        assert status == 200
        sent = json.loads(words)[0]
        assert Path(sent).is_relative_to(folder)
        assert ask(url, "GET", f"/gradio_api/file={sent}")[0] == 200


def test_a_body_that_is_too_large_is_refused_before_it_lies_there(page: tuple[str, Path]) -> None:
    url, folder = page
    kept = lying(folder)
    asked = ask(url, "POST", UPLOAD, own(url), form(b"x" * 2 * MB))
    assert asked == (413, "This is too large: the page takes up to 1 MB at once.")
    # Without a length it is counted while it comes; what has come of it goes with other old files.
    pieces = iter([form(b"")[:-12], *[b"x" * 65_536] * 64])
    assert ask(url, "POST", UPLOAD, own(url), pieces)[0] == 413
    assert lying(folder) <= kept + MB
    for length in ("-1", "1e9", "9" * 30):
        assert ask(url, "POST", UPLOAD, own(url, **{"Content-Length": length}))[0] in (400, 413)


@pytest.mark.parametrize(("limit", "status"), [("visitor_mb", 429), ("all_mb", 507)])
def test_a_flood_of_uploads_is_stopped_and_others_go_on(limit: str, status: int) -> None:
    with served(f"{limit}=3", "upload_mb=1") as (url, folder):
        taken = [ask(url, "POST", UPLOAD, own(url), form(os.urandom(900_000))) for _ in range(12)]
        assert [one for one, _ in taken[:3]] == [200] * 3
        assert {one for one, _ in taken[4:]} == {status}
        assert lying(folder) <= 3 * MB
        assert ask(url, "GET", "/")[0] == 200
        chunked = ask(url, "POST", UPLOAD, own(url), iter([form(b"")[:-12], *[b"x" * 65_536] * 8]))
        assert chunked[0] == status


def test_small_files_count_for_more_than_they_hold() -> None:
    with served("visitor_mb=1") as (url, folder):
        taken = [ask(url, "POST", UPLOAD, own(url), form(b"%d" % index))[0] for index in range(20)]
        assert taken == [200] * 16 + [429] * 4
        assert lying(folder) < 1000


def test_the_line_of_a_visitor_is_short(tmp_path: Path) -> None:
    write_png(tmp_path / "face.png", photo())
    with served("visitor_waiting=2", "slow") as (url, _):
        sent = json.loads(ask(url, "POST", UPLOAD, own(url), form((tmp_path / "face.png").read_bytes()))[1])[0]
        file = {"path": sent, "meta": {"_type": "gradio.FileData"}, "orig_name": "face.png"}
        body = json.dumps({"data": [file, "stripes"], "fn_index": 0, "session_hash": "a"}).encode()

        def join() -> tuple[int, str]:
            return ask(url, "POST", JOIN, {"Origin": url.rstrip("/"), "Content-Type": "application/json"}, body)

        assert [join()[0] for _ in range(3)] == [200, 200, 429]
        for _ in range(600):  # until one was served
            if join()[0] == 200:
                return
            time.sleep(0.1)
        pytest.fail("nobody leaves the line")


def test_a_killed_server_leaves_nothing_to_the_next_one() -> None:
    server, url, folder = start()
    ask(url, "POST", UPLOAD, own(url), form(b"x" * 1000))
    server.send_signal(signal.SIGKILL)
    server.wait()
    assert server.stdout is not None
    server.stdout.close()
    assert lying(folder) == 1000
    with served():
        assert not folder.exists()
        assert [one for one in folder.parent.glob(f"{PREFIX}*") if not is_locked(one)] == []


class Elsewhere(http.server.SimpleHTTPRequestHandler):
    """Another site: one page, whatever is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write((Path(__file__).parent / "elsewhere.html").read_bytes())

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """Serve another site; yield its port on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def surfer() -> Iterator[Browser]:
    """Return a browser in which every name is this machine: as after DNS rebinding."""
    pytest.importorskip("gradio")
    with headless_browser("--disable-gpu", "--host-resolver-rules=MAP * 127.0.0.1") as found:
        yield found


@pytest.mark.parametrize("site", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_another_origin_can_neither_read_nor_send(surfer: Browser, elsewhere: int, site: str) -> None:
    with served() as (url, folder):
        tab = surfer.new_page()
        tab.goto(f"http://{site}:{elsewhere}/#{url}")
        tab.wait_for_function("document.title === 'done'", timeout=60_000)
        outcomes = tab.evaluate("window.outcomes")
        sent = {
            "upload without cors",
            "join without cors",
            "form",
        }  # those leave the browser, and the server refuses them
        assert {name for name, found in outcomes.items() if found != "failed"} <= sent, outcomes
        assert len(outcomes) == 9
        assert lying(folder) == 0
        tab.close()


def test_a_foreign_name_for_this_machine_reads_and_fills_nothing(surfer: Browser) -> None:
    with served() as (url, folder):
        tab = surfer.new_page()
        rebound = url.replace("127.0.0.1", "evil.example")
        answer = tab.goto(rebound)
        assert answer is not None
        assert answer.status == 421
        assert "not served by that name" in tab.inner_text("body")
        status = tab.evaluate(
            """async () => { const form = new FormData(); form.append("files", new Blob(["x".repeat(1e6)]), "a.png");
            const one = await fetch("/gradio_api/upload", {method: "POST", body: form});
            const two = await fetch("/config"); return [one.status, two.status]; }"""
        )
        assert status == [421, 421]
        assert lying(folder) == 0
        tab.close()


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("visitor_mb=0", "HTTP 429: You have sent as much as one visitor may in 10 minutes"),
        ("all_mb=0", "HTTP 507: This page has no room for more photographs"),
        ("visitor_waiting=0", "0 of your requests are in line"),
        ("all_waiting=0", "Too many visitors are in line"),
    ],
)
def test_the_page_shows_why_it_refuses(surfer: Browser, tmp_path: Path, limit: str, words: str) -> None:
    write_png(tmp_path / "face.png", photo())
    with served(limit) as (url, _):
        visitor = Visitor(surfer, url)
        visitor.give(tmp_path / "face.png")
        visitor.page.get_by_text(words).first.wait_for(timeout=30_000)
        visitor.page.context.close()
