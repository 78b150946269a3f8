"""Skin tones of the photographs of a dataset, measured when the page first asks: nothing on disk has them."""

from __future__ import annotations

import threading
from typing import Any

from fdgen.browser.version import Version
from fdgen.errors import FdError
from fdgen.io.storage import local_folder


class Tones:
    """Measures in a thread of its own; `progress` begins it and reports how far it is."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: dict[str, int] = {}
        self._names: list[str] = []
        self._wrong = ""
        self._ended = threading.Event()

    def progress(self) -> dict[str, Any]:
        """Return {done, of}, and when all are known {names, tones}: the code of each photograph, by its sha256.

        `wrong` says in a sentence why there are none.
        """
        with self._lock:
            if self._thread is None and not self.version.remote:
                self._thread = threading.Thread(target=self._measure, daemon=True)
                self._thread.start()
        if self._wrong or self._thread is None:
            return {"wrong": self._wrong or "skin is measured in datasets on this machine only"}
        if not self._ended.is_set():
            return {"done": len(self._found), "of": self.version.facts()["photographs"]}
        return {"names": self._names, "tones": self._found}

    def _measure(self) -> None:
        # Here and not above: it imports the compiler of the renderer, which a page without tones does not wait for.
        from fdgen.cards.skin_tones import COLUMNS, NOT_SEEN, TONES, CleanPicture, skin_tones

        self._names = [*TONES, NOT_SEEN]
        complete = False
        try:
            rows = zip(*(self.version.table[name].to_pylist() for name in COLUMNS), strict=True)
            pictures = (CleanPicture(*row) for row in rows)
            for source, tone in skin_tones(local_folder(self.version.root), pictures):
                self._found[source] = self._names.index(tone)
            complete = True
        except FdError as error:
            self._wrong = f"{error.message}; {error.hint}" if error.hint else error.message
        finally:
            if not complete and not self._wrong:
                self._wrong = "the measuring of skin broke off; the program's output in the terminal says why"
            self._ended.set()
