"""Files of weights by name: `hf://OWNER/NAME@REVISION` on the Hub, or `https://...`. Nothing else here opens a socket.

    address --> listed, one file chosen --> fetched whole, at most MOST_BYTES --> safetensors or ONNX, else refused
    --> cache: weights/SHA256/NAME.safetensors, and next to it origin.json (whence, digest) and the card

huggingface_hub (extra `hub`) is imported when an address of the Hub is fetched, and not before.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdgen.errors import FdError
from fdgen.io.atomic import make_folder, write_whole
from fdgen.io.json_file import MOST_BYTES as MOST_HEADER_BYTES
from fdgen.io.json_file import parse_json, why
from fdgen.io.regular_file import read_regular
from fdgen.runtime.cache_dir import cache_folder

MOST_BYTES = 2_000_000_000
"""Of a file of weights: the largest of ours has a tenth of it."""

MOST_CARD_BYTES = 1_000_000

ORIGIN_FILE = "origin.json"
"""Beside weights that were fetched: whence, and their digest."""

TAKEN = (".safetensors", ".onnx")
"""What is fetched. Whatever else holds weights may be a pickle, which runs what a stranger wrote."""

WAIT_S = 30.0

_NAME = r"[A-Za-z0-9][\w.-]*"
_HUB = re.compile(rf"hf://(?P<repo>{_NAME}/{_NAME})(?P<file>(?:/{_NAME})*)(?:@(?P<revision>{_NAME}))?")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Fetched:
    """A file of weights on this machine: whence, its digest, its card, and whether this is its first use.

    `revision` is the commit on the Hub, empty for a URL; `card` is the text of its README.md, empty without one.
    """

    path: Path
    address: str
    revision: str
    sha256: str
    card: str
    is_new: bool


def is_address(text: str | Path) -> bool:
    """Tell whether weights are asked for by an address, and not by a path.

    >>> is_address("hf://someone/faces@v1"), is_address("runs/one")
    (True, False)
    """
    return "://" in str(text)


def fetch_weights(address: str) -> Fetched:
    """Fetch a file of weights, or take it from the cache; raise `FdError` where it is none, or cannot be had."""
    if address.startswith("hf://"):
        name, data, revision, card = _from_hub(address)
    else:
        name, data, revision, card = *_from_url(address), "", ""
    _refuse_other(address, name, data)
    sha256 = hashlib.sha256(data).hexdigest()
    folder = cache_folder() / "weights" / sha256
    path, origin = folder / name, folder / ORIGIN_FILE
    is_new = not origin.is_file()
    make_folder(folder)
    if not path.is_file() or hashlib.sha256(read_regular(path, most_bytes=MOST_BYTES)).hexdigest() != sha256:
        write_whole(path, data)
    write_whole(folder / "README.md", card.encode())
    facts = {"address": address, "revision": revision, "sha256": sha256, "file": name}
    write_whole(origin, (json.dumps(facts, indent=2) + "\n").encode())  # last: it says that the rest is there
    return Fetched(path, address, revision, sha256, card, is_new)


def stated_licence(card: str) -> str:
    r"""Return the licence that the front matter of a card states, a few words; empty where it states none.

    >>> stated_licence('---\nlicense: "other"\nlicense_name: research-only\n---\n# A model')
    'research-only'
    """
    front = card.split("\n---", 1)[0] if card.startswith("---\n") else ""
    found: dict[str, str] = dict(
        re.findall(r"^(license|license_name): *[\"']?([^\"'\n]{1,80})[\"']? *$", front, re.MULTILINE)
    )
    return found.get("license_name") or found.get("license", "")


def stated_limits(card: str) -> str:
    """Return the section of a card on limits, without its heading; empty where it has none."""
    found = re.search(r"^## Limits\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return found[1].strip()[:2_000] if found else ""


def _from_hub(address: str) -> tuple[str, bytes, str, str]:
    """Return name, bytes, commit and card of the weights in a repository of the Hub."""
    asked = _HUB.fullmatch(address)
    if asked is None:
        raise FdError(f"{address} is no address of the Hub", hint="write hf://OWNER/NAME, or hf://OWNER/NAME@REVISION")
    try:
        from httpx import HTTPError
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise FdError(
            f"{address} is on the Hub, and huggingface_hub, which reads it, is not installed",
            hint="install it with `pip install 'fd-stackgan[hub]'`",
        ) from error
    try:
        api = HfApi()
        facts = api.model_info(asked["repo"], revision=asked["revision"], files_metadata=True, timeout=WAIT_S)
        sizes = {one.rfilename: one.size for one in facts.siblings or ()}
        name = _chosen(address, asked["file"].lstrip("/"), list(sizes))
        if (sizes[name] or 0) > MOST_BYTES:
            raise FdError(f"{name} of {address} has {sizes[name]:,} bytes, more than the limit of {MOST_BYTES:,}")
        where: dict[str, Any] = {"repo_id": asked["repo"], "revision": facts.sha}
        data = Path(api.hf_hub_download(filename=name, **where)).read_bytes()
        card = Path(api.hf_hub_download(filename="README.md", **where)) if "README.md" in sizes else None
        text = card.read_bytes()[:MOST_CARD_BYTES].decode("utf-8", "replace") if card is not None else ""
    except (HTTPError, HfHubHTTPError, HFValidationError, OSError) as error:
        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FdError(
            f"{address} cannot be had: {told}", hint="check the name, the revision and the connection"
        ) from error
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
            data: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FdError(f"{address} cannot be had: {why(error)}", hint="check the address and the connection") from error
    if len(data) > MOST_BYTES:
        raise FdError(f"{address} has more than {MOST_BYTES:,} bytes", hint="check the address")
    return name, data


def _refuse_other(address: str, name: str, data: bytes) -> None:
    """Raise `FdError` where bytes are not what their suffix says: a pickle is one whatever it is called."""
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
