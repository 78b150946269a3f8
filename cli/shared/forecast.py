"""The warning of a dry run when a plan takes longer than anybody waits."""

from __future__ import annotations

from .output import DAYS_OF_A_YEAR, Voice, duration

MOST_S = DAYS_OF_A_YEAR * 86_400
"""Seconds beyond which a plan is doubted: a year."""


def warn_if_long(seconds: float, voice: Voice, remedy: str) -> None:
    """Say so where a plan takes longer than anybody waits."""
    if seconds > MOST_S:
        voice.say(f"warning: that takes about {duration(seconds)} on this machine; {remedy}")
