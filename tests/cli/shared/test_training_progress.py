"""Requests to stop: said at once, whatever they strike into; the second one stops."""

from __future__ import annotations

import os
import signal

import click
import pytest

from cli.shared.training_progress import asked_to_stop


def test_a_request_is_said_and_the_second_one_stops(capfd: pytest.CaptureFixture[str]) -> None:
    with asked_to_stop() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked == [signal.SIGTERM]
        assert "stopping after this step" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_request_that_strikes_into_a_line_is_said_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Python's buffers refuse to be written to by a handler that interrupts them."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr(click, "echo", refuse)
    with asked_to_stop() as asked:
        os.kill(os.getpid(), signal.SIGINT)
    assert asked == [signal.SIGINT]
    assert "stopping after this step" in capfd.readouterr().err
