"""Errors of training that a user can act on: one sentence that names the cause, and the next step."""

from __future__ import annotations

from fdgen.errors import FdError


class ConfigError(FdError):
    """A setting is wrong: unknown key, value out of range, unreadable file."""

    exit_code = 2


class RunError(FdError):
    """A run folder cannot be used: another run's, changed under us, in use, or not writable."""


class CheckpointError(FdError):
    """A checkpoint or a file of weights is missing, damaged, or of another architecture."""


class PerceptualError(FdError):
    """The weights of a perceptual network are missing or are not what they are called."""


class DeviceError(FdError):
    """The device that was asked for is not there, or has too little memory."""


class LoaderError(FdError):
    """Worker processes that read pictures ended, or there is no room for what they read."""


class TrainingError(FdError):
    """Training itself went wrong: the numbers stopped being numbers."""
