"""Errors that a user can act on: one sentence that names the cause, and the next step.

The library raises them; the command line prints `message` and `hint` and exits with `exit_code`. Anything else that
escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import Any

MOST_CHARACTERS = 2_000
"""Of a message: what is in it may be a stranger's, and a terminal is no place for a megabyte."""

_BREAKS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


class FdError(Exception):
    """Base of every error we raise on purpose.

    `message` is one sentence naming the file or option at fault; `hint` is the next command or change to try. Both are
    one line, regardless of what was in the file that they speak of.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        message = one_line(message)
        super().__init__(message)
        self.message = message
        self.hint = one_line(hint)

    def __reduce__(self) -> tuple[Callable[..., FdError], tuple[type[FdError], dict[str, Any]]]:
        """Pickle with the keyword arguments, so that a worker's error reaches the parent as it was raised."""
        return _unpickle, (type(self), vars(self))


def one_line(text: str) -> str:
    r"""Return text without line breaks and control characters, cut where it is very long.

    >>> one_line("half\n  a \x1b[31mword")
    'half a \\x1b[31mword'
    """
    text = _CONTROLS.sub(lambda odd: ascii(odd[0])[1:-1], _BREAKS.sub(" ", text).strip())
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} ..."


_WORDS = {
    errno.ENOENT: "there is no such file",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of its path is a file",
    errno.ELOOP: "it is a link that leads to itself",
    errno.EACCES: "its permissions do not allow it",
    errno.EPERM: "its permissions do not allow it",
    errno.ENAMETOOLONG: "its name is too long",
}


def in_words(error: OSError) -> str:
    """Return why the system refused a file, as words after a colon: in words of ours where the cause is a path.

    >>> in_words(IsADirectoryError(errno.EISDIR, "Is a directory", "photos"))
    'it is a folder'
    """
    return _WORDS.get(error.errno or 0) or error.strerror or str(error)


def _unpickle(kind: type[FdError], arguments: dict[str, Any]) -> FdError:
    return kind(**arguments)


class PictureError(FdError):
    """One picture cannot be used. `reason` is the short code under which rejects are counted."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class FacesError(FdError):
    """A folder of faces is missing, empty, or not what it was said to be."""


class RecipeError(FdError):
    """A recipe or an override is wrong: unknown key, value out of range, unreadable file."""

    exit_code = 2


class AssetError(FdError):
    """An occluder asset is missing, altered or malformed."""


class DatasetError(FdError):
    """A dataset folder cannot be read or written: not ours, unfinished, damaged, full."""


class UnreachableError(DatasetError):
    """A place behind a URL or a name cannot be asked, or broke off: what is there, if anything, is not known."""


class MixingError(DatasetError):
    """The folder holds a dataset of another specification. `differences` has a line for each differing field."""

    def __init__(self, message: str, *, differences: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.differences = differences


class PairsError(DatasetError):
    """Pairs made elsewhere cannot be imported as they are. `faults` has (reason, file, sentence) of every one."""

    exit_code = 3

    def __init__(self, message: str, *, faults: tuple[tuple[str, str, str], ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.faults = faults
