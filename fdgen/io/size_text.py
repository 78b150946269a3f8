"""Sizes of files and disks as people read them."""

from __future__ import annotations


def size_text(n_bytes: float) -> str:
    """Return a number of bytes with the unit that shows it, to three digits.

    >>> size_text(812), size_text(20_480), size_text(64e6), size_text(1_234_567_890)
    ('812 bytes', '20.5 kB', '64.0 MB', '1.23 GB')
    """
    if n_bytes < 999.5:
        return f"{n_bytes:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 999.5 or unit == "GB":
            break
    digits = 2 if n_bytes < 9.995 else 1 if n_bytes < 99.95 else 0
    return f"{n_bytes:,.{digits}f} {unit}"
