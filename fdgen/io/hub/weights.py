"""Files of weights by name: `hf://OWNER/NAME@REVISION` on the Hub, or `https://...`. Nothing else here opens a socket.

    address --> listed, one file chosen --> fetched whole, at most MOST_BYTES --> safetensors or ONNX, else refused
    --> cache: weights/SHA256/NAME.safetensors, and next to it origin.json (whence, digest) and the card;
        weights/by-address/...json, what an address gave

What was fetched before is used where nobody answers, and without asking where the address names a whole commit.
huggingface_hub (extra `hub`) is imported when an address of the Hub is fetched, and not before.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fdgen.errors import FdError, UnreachableError
from fdgen.io.atomic import make_folder, write_whole
from fdgen.io.hub.api import hub_api
from fdgen.io.json_file import MOST_BYTES as MOST_HEADER_BYTES
from fdgen.io.json_file import fits, parse_json, read_object, why
from fdgen.io.regular_file import sha256_of
from fdgen.runtime.cache_dir import cache_folder

MOST_BYTES = 2_000_000_000
"""Of a file of weights: the largest of ours has a tenth of it."""

MOST_CARD_BYTES = 1_000_000

ORIGIN_FILE = "origin.json"
"""Next to weights that were fetched: from where, and their digest."""

TAKEN = (".safetensors", ".onnx")
"""What is fetched. Any other file of weights may be a pickle, which runs what a stranger wrote."""

WAIT_S = 30.0

_NAME = r"[A-Za-z0-9][\w.-]*"
_HUB = re.compile(rf"hf://(?P<repo>{_NAME}/{_NAME})(?P<file>(?:/{_NAME})*)(?:@(?P<revision>{_NAME}))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Fetched:
    """A file of weights on this machine: whence, its digest, its card, and whether this is its first use.

    `revision` is the commit on the Hub, empty for a URL; `card` is the text of its README.md, empty without one. It is
    new where this address gave other bytes before, or none. `kept` says why it is a copy from before, without its full
    stop; empty where it was fetched now.
    """

    path: Path
    address: str
    revision: str
    sha256: str
    card: str
    is_new: bool
    kept: str = ""


@dataclass(frozen=True)
class _Origin:
    """What an address gave when it was last asked, as the cache has it."""

    address: str
    revision: str
    sha256: str
    file: str
    card: str

    @property
    def path(self) -> Path:
        return _weights_folder() / self.sha256 / self.file


def is_address(text: str | Path) -> bool:
    """Return whether weights are asked for by an address, and not by a path.

    >>> is_address("hf://someone/faces@v1"), is_address("runs/one")
    (True, False)
    """
    return "://" in str(text)


def fetch_weights(address: str) -> Fetched:
    """Fetch a file of weights, or take it from the cache; raise `FdError` where it is none, or cannot be had."""
    origin = _read_origin(address)
    known = None if origin is None else Fetched(origin.path, address, *_told(origin), is_new=False)
    if known is not None and _names_commit(address):
        return replace(known, kept="the address names a commit, which was fetched before")
    try:
        if address.startswith("hf://"):
            name, data, revision, card = _from_hub(address)
        else:
            name, data, revision, card = *_from_url(address), "", ""
    except UnreachableError as error:
        if known is None:
            raise
        return replace(known, kept=f"{error.message}; it was fetched before")
    _refuse_other(address, name, data)
    fetched = _Origin(address, revision, hashlib.sha256(data).hexdigest(), name, card)
    _keep(fetched, data)
    is_new = origin is None or origin.sha256 != fetched.sha256
    return Fetched(fetched.path, address, *_told(fetched), is_new)


def stated_licence(card: str) -> str:
    r"""Return the licence that the front matter of a card states, a few words; empty where it states none.

    >>> stated_licence('---\nlicense: "other"\nlicense_name: research-only\n---\n# A model')
    'research-only'
    """
    front = card.split("\n---", 1)[0] if card.startswith("---\n") else ""
    found: dict[str, str] = dict(
        re.findall(r"^(license|license_name): *[\"']?([^\"'\n]{1,80})[\"']? *$", front, re.MULTILINE)
    )
    return _printable(found.get("license_name") or found.get("license", ""))


def stated_limits(card: str) -> str:
    """Return the section of a card on limits, without its heading; empty where it has none."""
    found = re.search(r"^## Limits\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return _printable(found[1].strip()[:2_000]) if found else ""


def _printable(text: str) -> str:
    r"""Return a stranger's text as a terminal may be given it: lines, without anything that moves or colours.

    >>> _printable("Four \x1b[31mpeople\x1b[0m.\nTwo\x07\u202emore.")
    'Four people.\nTwo  more.'
    """
    plain = _ESCAPE.sub("", text)
    return "".join(letter if letter == "\n" or letter.isprintable() else " " for letter in plain)


def _weights_folder() -> Path:
    return cache_folder() / "weights"


def _origin_file(address: str) -> Path:
    return _weights_folder() / "by-address" / f"{hashlib.sha256(address.encode()).hexdigest()}.json"


def _told(origin: _Origin) -> tuple[str, str, str]:
    return origin.revision, origin.sha256, origin.card


def _names_commit(address: str) -> bool:
    """Return whether an address can mean one content alone."""
    asked = _HUB.fullmatch(address)
    return asked is not None and _COMMIT.fullmatch(asked["revision"] or "") is not None


def _read_origin(address: str) -> _Origin | None:
    """Return what an address gave before; None where it was never asked, or the file is not whole any more."""
    path = _origin_file(address)
    try:
        values = read_object(path, within=path.parent)
        if fits(_Origin, values) is not None:
            return None
        origin = _Origin(**values)
        named = re.fullmatch("[0-9a-f]{64}", origin.sha256) and re.fullmatch(_NAME, origin.file)
        if origin.address != address or not named or sha256_of(origin.path) != origin.sha256:
            return None
    except (FdError, OSError):
        return None
    return origin


def _keep(origin: _Origin, data: bytes) -> None:
    """Write a file of weights into the cache, with its card and what it is."""
    folder = origin.path.parent
    make_folder(folder)
    make_folder(_origin_file(origin.address).parent)
    if not _is(origin.path, origin.sha256):
        write_whole(origin.path, data)
    facts = asdict(origin)
    write_whole(folder / "README.md", facts.pop("card").encode())
    write_whole(folder / "origin.json", (json.dumps(facts, indent=2) + "\n").encode())
    # Last: it says that the rest is there.
    write_whole(_origin_file(origin.address), (json.dumps(asdict(origin), indent=2) + "\n").encode())


def _is(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False


def _from_hub(address: str) -> tuple[str, bytes, str, str]:
    """Return name, bytes, commit and card of the weights in a repository of the Hub."""
    asked = _HUB.fullmatch(address)
    if asked is None:
        raise FdError(f"{address} is no address of the Hub", hint="write hf://OWNER/NAME, or hf://OWNER/NAME@REVISION")
    hint = "check the name, the revision and the connection"
    with hub_api(address, does="reads", fails="cannot be had", hint=hint) as api:
        facts = api.model_info(asked["repo"], revision=asked["revision"], files_metadata=True, timeout=WAIT_S)
        sizes = {one.rfilename: one.size for one in facts.siblings or ()}
        name = _chosen(address, asked["file"].lstrip("/"), list(sizes))
        if (sizes[name] or 0) > MOST_BYTES:
            raise FdError(f"{name} of {address} has {sizes[name]:,} bytes, more than the limit of {MOST_BYTES:,}")
        where: dict[str, Any] = {"repo_id": asked["repo"], "revision": facts.sha}
        data = Path(api.hf_hub_download(filename=name, **where)).read_bytes()
        card = Path(api.hf_hub_download(filename="README.md", **where)) if "README.md" in sizes else None
        text = card.read_bytes()[:MOST_CARD_BYTES].decode("utf-8", "replace") if card is not None else ""
    repo = asked["repo"].rpartition("/")[2]
    stem = Path(name).stem
    named = repo if stem in ("best", "last", "model") else stem
    return named + Path(name).suffix.lower(), data, str(facts.sha), text


def _chosen(address: str, wanted: str, names: list[str]) -> str:
    """Return which file of a repository is meant; raise `FdError` where it is none of ours, or not clear which."""
    if wanted:
        if Path(wanted).suffix.lower() not in TAKEN:
            raise _refused(address, wanted)
        if wanted not in names:
            raise FdError(f"{address} has no file {wanted}", hint=f"it has: {', '.join(sorted(names)[:10])}")
        return wanted
    fit = sorted(name for name in names if Path(name).suffix.lower() in TAKEN)
    best = [name for name in fit if Path(name).name == "best.safetensors"] or fit
    if len(best) == 1:
        return best[0]
    if not fit:
        others = [name for name in names if Path(name).suffix.lower() in (".pt", ".pth", ".bin", ".ckpt", ".pkl")]
        raise _refused(address, others[0] if others else "what it holds")
    raise FdError(f"{address} has several files of weights", hint=f"name one: hf://OWNER/NAME/{best[0]}")


def _from_url(address: str) -> tuple[str, bytes]:
    """Return name and bytes of a file behind https://; http:// is for this machine alone."""
    parts = urllib.parse.urlsplit(address)
    name = Path(urllib.parse.unquote(parts.path)).name
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise FdError(f"weights are fetched by hf:// and https:// alone, got {address}", hint="copy the file here")
    if Path(name).suffix.lower() not in TAKEN or not re.fullmatch(_NAME, name):
        raise _refused(address, name or "what it names")
    try:
        with urllib.request.urlopen(address, timeout=WAIT_S) as answer:  # noqa: S310 - its scheme was looked at
            landed = urllib.parse.urlsplit(answer.geturl())
            if landed.scheme != parts.scheme:
                raise FdError(f"{address} leads to {landed.scheme}://, which is not taken", hint="name the file itself")
            announced: int | None = answer.length
            if (announced or 0) > MOST_BYTES:
                raise FdError(f"{address} has more than {MOST_BYTES:,} bytes", hint="check the address")
            data: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        says_no = isinstance(error, ValueError) or (isinstance(error, urllib.error.HTTPError) and error.code < 500)
        kind = FdError if says_no else UnreachableError
        raise kind(f"{address} cannot be had: {why(error)}", hint="check the address and the connection") from error
    if len(data) > MOST_BYTES:
        raise FdError(f"{address} has more than {MOST_BYTES:,} bytes", hint="check the address")
    if announced is not None and len(data) < announced:
        raise UnreachableError(
            f"{address} cannot be had: the download broke off after {len(data):,} of {announced:,} bytes",
            hint="try again",
        )
    return name, data


def _refuse_other(address: str, name: str, data: bytes) -> None:
    """Raise `FdError` where bytes are not what their suffix says: a pickle is one under any name."""
    if name.endswith(".onnx"):
        if data[:1] == b"\x08":  # the field `ir_version`, which every file begins with
            return
        raise _refused(address, name)
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= min(len(data) - 8, MOST_HEADER_BYTES):
        raise _refused(address, name)
    try:
        header = parse_json(data[8 : 8 + size].decode())
    except ValueError as error:
        raise _refused(address, name) from error
    if not isinstance(header, dict):
        raise _refused(address, name)


def _refused(address: str, name: str) -> FdError:
    return FdError(
        f"{name} of {address} is neither safetensors nor ONNX, and nothing else is fetched: pickles run what they hold",
        hint="ask its owner for a .safetensors or .onnx file",
    )
