"""Who may ask the server, for what: the guards of `fdgen browse`.

    a read? --> by a loopback name? --> under the secret path? --> from the page itself?

A web site can make its visitors' browsers send requests to a server on their own machine, and by a name that it points
there (DNS rebinding) it could even read the answers; so could another user of the machine. So only names of loopback
are served, on any port (a tunnel may end at another), only under a path that this run drew, and only to the page
itself. There is nothing to write: the page keeps what is marked.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?\Z", re.IGNORECASE)

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: nothing is fetched from elsewhere, and nobody embeds or reads the page."""


class RefusedError(Exception):
    """A request that is not answered: its HTTP status, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True)
class RequestGuard:
    """Lets requests through that carry the `token` of this run; `check` returns the path below it."""

    token: str

    def check(self, method: str, path: str, headers: Mapping[str, list[str]]) -> str:
        """Return the path that is asked for, below the token; raise `RefusedError` where it may not be.

        `headers` has the values of each header, by names in lower case.
        """
        if method not in ("GET", "HEAD"):
            raise RefusedError(405, "This page only reads.")
        for name in ("host", "origin", "sec-fetch-site"):
            if len(headers.get(name, ())) > 1:
                raise RefusedError(400, "This request contradicts itself.")
        host = _first(headers, "host") or ""
        if not _LOOPBACK.match(host):
            raise RefusedError(421, "This page is not served by that name: open the address that its program prints.")
        below = self._below(path)
        origin, site = _first(headers, "origin"), _first(headers, "sec-fetch-site")
        opened = not below and _first(headers, "sec-fetch-dest") == "document"
        if (origin is not None and origin.lower() != f"http://{host}".lower()) or (
            site not in (None, "none", "same-origin") and not opened
        ):
            raise RefusedError(403, "Only this page itself may ask this of its server.")
        return below

    def _below(self, path: str) -> str:
        first, slash, below = path.removeprefix("/").partition("/")
        if not (path.startswith("/") and slash and hmac.compare_digest(first.encode(), self.token.encode())):
            raise RefusedError(404, "There is nothing here: open the address that the program prints.")
        return below


def _first(headers: Mapping[str, list[str]], name: str) -> str | None:
    values = headers.get(name)
    return values[0].strip() if values else None
