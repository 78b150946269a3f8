"""The files of the page: HTML, one style sheet, and scripts that are read one after the other in one scope."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from typing import Any

SCRIPTS = ("data", "filters", "controls", "wall", "marks", "sample", "extras", "main")
"""In this order: each uses what is in those before it."""

_FOLDER = resources.files("fdgen.browser").joinpath("page")


def _text(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")


STYLE = _text("page.css").encode()
SCRIPT = ("'use strict';\n(() => {\n" + "\n".join(_text(f"{name}.js") for name in SCRIPTS) + "\n})();\n").encode()

_LINKS = '<link rel="stylesheet" href="page.css">'
_LOADS = '<script src="page.js" defer></script>'


def page() -> bytes:
    """Return the page as it is served: it fetches style, script and data from below its own address."""
    return _text("page.html").encode()


def self_contained(data: dict[str, Any], title: str) -> str:
    """Return the page as one file that fetches nothing, with its data in it."""
    # `</script>` within a text would end the element, and `<!--` begin what hides its end.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    script = SCRIPT.decode()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{STYLE.decode()}</style>'
    body = f'<script type="application/json" id="data">{text}</script>\n<script>{script}</script>'
    found = page().decode().replace(_LINKS, head).replace(_LOADS, "")
    found = found.replace("<title>fdgen browse</title>", f"<title>{html.escape(title)}</title>")
    return found.replace("</body>", f"{body}\n</body>")
