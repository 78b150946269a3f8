"""Why a measure is not computed."""

from __future__ import annotations

from fdgen.errors import FdError


class NotComputed(FdError):  # noqa: N818 - it is an answer more than an error
    """A measure cannot be computed here. `message` completes the sentence "not computed, because ..."."""
