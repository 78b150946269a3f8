"""The server answers nobody but its own page, on this machine, and nothing but what is the page's."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fdgen.browser.answers import Answers
from fdgen.browser.server import CONNECTIONS, HOST, serving
from fdgen.browser.version import Version
from fdgen.errors import FdError

Asked = tuple[int, dict[str, str], bytes]


def ask(address: str, path: str = "", *, method: str = "GET", whole: str = "", **headers: str) -> Asked:
    """Ask for a path below an address (or `whole`, a path from the root) as it is written: a client would tidy it."""
    at = urlsplit(address)
    connection = http.client.HTTPConnection(HOST, at.port or 0, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, whole or at.path + path, skip_host="Host" in sent, skip_accept_encoding=True)
    for name, value in sent.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def test_the_page_and_its_parts(address: str, version: Version) -> None:
    for path, kind in (
        ("", "text/html"),
        ("page.js", "text/javascript"),
        ("page.css", "text/css"),
        ("t/0/0/occluded-64.jpg", "image/jpeg"),
        ("p/0/0/alpha.png", "image/png"),
    ):
        status, headers, body = ask(address, path)
        assert (status, headers["content-type"].split(";")[0]) == (200, kind)
        assert headers["content-length"] == str(len(body))
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    index = json.loads(ask(address, "index.json")[2])
    assert len(index["columns"]["key"]) == index["datasets"][0]["samples"] == len(version)
    record = json.loads(ask(address, "s/0/5.json")[2])
    assert record["key"] == index["columns"]["key"][5]
    assert ask(address, "p/0/5/mask.png")[2] == version.read(5, ["mask.png"])["mask.png"]
    assert json.loads(ask(address, "rejects.json")[2]) == version.rejects() != []


@pytest.mark.parametrize(
    "path",
    ["../", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "t/0/0/../../../dataset.json", "dataset.json", "page.html",
     "t/0/999999/occluded-64.jpg", "t/1/0/occluded-64.jpg", "t/0/-1/occluded-64.jpg", "t/0/0/occluded-65.jpg",
     "t/0/0/alpha-64.jpg", "t/0/0/occluded-64.jpg?x=1", "t/0/0/occluded-64.jpg\n", "t/0/0x1/occluded-64.jpg",
     "t/0/٣/occluded-64.jpg", "p/0/0/depth.png", "p/0/0/json.png", "s/0/0.json/", "index.json?a", "s/2/0.json", "//"],
)  # fmt: skip
def test_what_is_not_the_pages_is_not_there(answers: Answers, path: str) -> None:
    from fdgen.browser.request_guard import RefusedError

    with pytest.raises(RefusedError) as refused:
        answers.answer(path)
    assert refused.value.status == 404


def test_a_path_is_taken_as_it_is_written(address: str, built: Path) -> None:
    for path in ("../", "../dataset.json", "%2e%2e/dataset.json", f"..{built}/dataset.json", "t/0/0/occluded-64.jpg?x"):
        assert ask(address, path)[0] == 404
    token = urlsplit(address).path
    for whole in ("/", token.rstrip("/"), f"/x{token[1:]}", f"{token[:-2]}/", "/index.json", "x"):
        assert ask(address, whole=whole)[0] == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("localhost:9", 200), ("[::1]:7861", 200), ("LOCALHOST", 200), ("evil.example", 421),
     ("127.0.0.1.evil.example", 421), ("localhost.evil.example:80", 421), ("evil.example#127.0.0.1", 421), ("", 421),
     ("127.0.0.1:x", 421), ("0.0.0.0", 421)],
)  # fmt: skip
def test_only_names_of_loopback_are_served(address: str, host: str, status: int) -> None:
    assert ask(address, "index.json", Host=host)[0] == status


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, "index.json", 200),
        ({"Sec_Fetch_Site": "none"}, "", 200),
        ({"Sec_Fetch_Site": "cross-site"}, "index.json", 403),
        ({"Sec_Fetch_Site": "same-site"}, "t/0/0/occluded-64.jpg", 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document"}, "", 200),  # a link to the page is opened
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document"}, "index.json", 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "iframe"}, "", 403),
        ({"Origin": "http://evil.example"}, "index.json", 403),
        ({"Origin": "null"}, "index.json", 403),
    ],
)
def test_only_the_page_itself_may_ask(address: str, headers: dict[str, str], path: str, status: int) -> None:
    assert ask(address, path, **headers)[0] == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_sent(address: str, method: str) -> None:
    status, headers, body = ask(address, "index.json", method=method)
    assert (status, body) == (405, b"This page only reads.\n")
    assert not any(name.startswith("access-control") for name in headers)


def test_a_request_that_contradicts_itself_is_refused(address: str) -> None:
    at = urlsplit(address)
    with socket.create_connection((HOST, at.port or 0), timeout=30) as raw:
        raw.sendall(f"GET {at.path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] == b"400"


def test_head_sends_no_body(address: str) -> None:
    status, headers, body = ask(address, "index.json", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 100


def test_one_who_opens_many_connections_is_cut_off_and_the_page_goes_on(answers: Answers) -> None:
    with serving(answers, port=0) as address:
        port = urlsplit(address).port or 0
        held = [socket.create_connection((HOST, port), timeout=30) for _ in range(CONNECTIONS + 2)]
        assert held[-1].recv(1) == b""
        for one in held:
            one.close()
        for _ in range(100):  # until the threads have seen it
            try:
                assert ask(address)[0] == 200
                break
            except (ConnectionError, http.client.HTTPException):
                continue
        else:
            pytest.fail("it does not answer any more")


def test_a_taken_port_is_named(answers: Answers) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FdError, match=f"port {port}: it is taken"), serving(answers, port=port):
            pass


def test_addresses_differ_from_run_to_run(answers: Answers) -> None:
    with serving(answers, port=0) as one, serving(answers, port=0) as other:
        assert urlsplit(one).path != urlsplit(other).path
        assert ask(one, whole=urlsplit(other).path)[0] == 404


def test_a_damaged_shard_is_told_in_a_sentence(built: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(built, tmp_path / "set")
    version = Version.open(tmp_path / "set")
    next((tmp_path / "set" / "shards").glob(f"{version.table['shard'][0].as_py()}.tar")).write_bytes(b"")
    told: list[str] = []
    with serving(Answers(version), port=0, on_fault=told.append) as address:
        status, _, body = ask(address, "t/0/0/occluded-64.jpg")
        assert ask(address, "t/0/0/occluded-64.jpg")[0] == 500
    assert status == 500
    [sentence] = told  # once: a page asks for many pictures of one shard
    assert "is cut short" in sentence
    assert "fdgen verify" in sentence
    assert "is cut short" in json.loads(body)["wrong"]
    assert "fdgen verify" in json.loads(body)["hint"]


def test_a_fault_of_ours_is_told_in_a_line_and_a_browser_that_leaves_is_not(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def fail(path: str) -> None:
        raise KeyError("a column\nof ours") if path == "index.json" else ConnectionResetError(104, "reset by peer")

    monkeypatch.setattr(answers, "answer", fail)
    with serving(answers, port=0, on_fault=told.append) as address:
        for path in ("", "index.json"):
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                ask(address, path)
    [sentence] = told
    assert sentence.startswith("an answer failed at test_server.py:")
    assert "KeyError: " in sentence
    assert "\n" not in sentence
