"""huggingface_hub (extra `hub`), opened for those who read or write; what goes wrong with it in one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fdgen.errors import FdError, UnreachableError

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@contextlib.contextmanager
def hub_api(what: str, *, does: str, fails: str, hint: str, refused: type[FdError] = FdError) -> Iterator[HfApi]:
    """Give the Hub's interface to the block, and turn what it raises into `FdError`.

    Args:
        what: What is asked for: an address or a repository.
        does: What huggingface_hub does with it, for the error where that is not installed.
        fails: What cannot be done, for the error where the Hub refuses.
        hint: The next step after such an error.
        refused: Type of the error to raise where the Hub says no, or huggingface_hub is not installed.

    Raises `UnreachableError` where the Hub did not answer.
    """
    try:
        from huggingface_hub import HfApi, errors
    except ImportError as error:
        raise refused(
            f"{what} is on the Hub, and huggingface_hub, which {does} it, is not installed",
            hint="install it with `pip install 'fd-stackgan[hub]'`",
        ) from error
    # Of the library that it talks through: httpx in its first versions, httpx2 since 2.0.
    transport: type[Exception] = vars(errors)["HTTPError"]
    try:
        yield HfApi()
    except (transport, errors.HfHubHTTPError, errors.HFValidationError, OSError, ValueError) as error:
        lines = str(error).strip().splitlines()
        kind = refused if isinstance(error, ValueError) or _answered(error) else UnreachableError
        raise kind(f"{what} {fails}: {lines[0] if lines else type(error).__name__}", hint=hint) from error


def _answered(error: Exception) -> bool:
    """Return whether the Hub itself has said no; a fault of its own is no answer."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status is not None and status < 500
