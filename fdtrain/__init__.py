"""fdtrain: the stacked GAN that removes occluders from faces. There is nothing to import yet."""

from __future__ import annotations

from fdgen.version import __version__

__all__ = ["__version__"]
