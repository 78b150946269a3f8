"""Runs the networks of MediaPipe that find faces, landmarks and people, without MediaPipe."""

from __future__ import annotations

from typing import Literal

DetectorName = Literal["builtin", "mediapipe"]

DETECTORS: tuple[DetectorName, ...] = ("builtin", "mediapipe")
"""Ours, the default; and mediapipe itself, where its extra is installed."""
