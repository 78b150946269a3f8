"""Other versions of the generator make other pixels: what would compare them pixel by pixel is refused."""

from __future__ import annotations

from fdgen.errors import DatasetError
from fdgen.version import GENERATOR_VERSION, __version__


def refuse_other_generator(title: str, generator: int, release: str) -> None:
    """Raise `DatasetError` where a dataset was made by another version of the generator, naming the release to install.

    `release` is the release of fd-stackgan that made it, empty where that is not known.
    """
    if generator == GENERATOR_VERSION:
        return
    hint = f"in an environment of its own, `pip install fd-stackgan=={release}`, then run the same command"
    if release in ("", __version__):
        hint = f"use the state of the project whose GENERATOR_VERSION is {generator}, in another environment"
    raise DatasetError(
        f"{title} was made by version {generator} of the generator (release {release or 'unknown'}), and this is "
        f"version {GENERATOR_VERSION} (release {__version__}), which makes other pixels",
        hint=hint,
    )
