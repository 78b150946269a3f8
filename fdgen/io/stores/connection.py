"""The file systems of fsspec that URLs name, and what they raise, in words without credentials.

fsspec and the package of a scheme (s3fs, gcsfs, adlfs) are imported for URLs only.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from fdgen.errors import DatasetError

STORES = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure"}
"""The extra that brings the package of a scheme, of those that put whole objects."""

EXTRAS = {**STORES, "hf": "hub"}

_PACKAGES = {"s3": "s3fs", "gcs": "gcsfs", "azure": "adlfs", "hub": "huggingface_hub"}

_FAULTS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
)
"""What these packages raise that is no `OSError`, by the module that defines it: it is loaded where it was raised."""

_USER = re.compile(r"(?<=://)[^/@\s]+@")
_SIGNED = re.compile(r"\?[^\s'\"]*")


def open_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it. fsspec keeps one a process and thread, so asking is cheap.

    Raises `DatasetError` where there is no such scheme, or its package is not installed or not set up.
    """
    shown = without_credentials(url)
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise DatasetError(
            f"{shown} is not a folder of this machine, and fsspec, which reads URLs, is not installed",
            hint=f"install it with `pip install 'fd-stackgan[{EXTRAS.get(scheme_of(url), 'scale')}]'`",
        ) from error
    try:
        # Listings are of the moment: other machines write there, too.
        system, path = url_to_fs(url, **({"use_listings_cache": False} if scheme_of(url) in STORES else {}))
    except ImportError as error:  # of the package for this scheme
        extra = EXTRAS.get(scheme_of(url))
        if extra is None:
            raise DatasetError(
                f"{shown} cannot be opened: {in_short(error)}", hint="install the package that it names"
            ) from error
        raise DatasetError(
            f"{shown} cannot be opened: {_PACKAGES[extra]}, which {scheme_of(url)}:// needs, is not installed",
            hint=f"install it with `pip install 'fd-stackgan[{extra}]'`",
        ) from error
    except ValueError as error:  # no such scheme, or no account named
        raise DatasetError(
            f"{shown} cannot be opened: {in_short(error)}", hint="name a folder, or a URL such as https:// or s3://"
        ) from error
    except faults() as error:  # credentials that are looked for at once
        raise DatasetError(
            f"{shown} cannot be opened: {in_short(error)}", hint="check the URL, the connection and your credentials"
        ) from error
    return system, str(path)


def scheme_of(url: str) -> str:
    """Return what is before `://`.

    >>> scheme_of("s3://bucket/set")
    's3'
    """
    return url.partition("://")[0].rpartition("::")[2].lower()


def faults() -> tuple[type[BaseException], ...]:
    """Return what a connection raises that is refused or broken: `OSError`, and the errors of the packages loaded."""
    import asyncio  # whose TimeoutError is the built-in one only from Python 3.11 on

    loaded = ((sys.modules.get(module), name) for module, name in _FAULTS)
    others = [getattr(module, name) for module, name in loaded if hasattr(module, name)]
    return (OSError, EOFError, TimeoutError, asyncio.TimeoutError, *others)


def in_short(error: BaseException) -> str:
    """Return what an exception says in one line, without credentials."""
    return without_credentials(" ".join(str(error).split())) or type(error).__name__


def without_credentials(text: str) -> str:
    """Return a URL, or text that holds some, without user, password and signature.

    >>> without_credentials("https://me:secret@host/set?X-Amz-Signature=0f")
    'https://host/set'
    """
    text = _USER.sub("", text)
    return re.sub(r"://\S*", lambda url: _SIGNED.sub("", url[0]), text)
