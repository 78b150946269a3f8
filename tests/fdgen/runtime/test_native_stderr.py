"""Standard error is the user's again, however a block ends."""

from __future__ import annotations

import os
import sys

import pytest

from fdgen.runtime.native_stderr import STDERR_FD, native_stderr


def test_what_native_code_writes_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    with native_stderr() as said:
        os.write(STDERR_FD, b"of libjpeg\n")
    os.write(STDERR_FD, b"of us\n")
    assert (said.text, capfd.readouterr().err) == ("of libjpeg\n", "of us\n")


def test_standard_error_is_put_back_where_it_cannot_be_flushed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1
            if self.flushes == 2:  # the first is of before the block
                raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys, "stderr", Closed())
    before = os.fstat(STDERR_FD)
    with pytest.raises(ValueError, match="closed"), native_stderr():
        assert os.fstat(STDERR_FD).st_ino != before.st_ino
    assert os.fstat(STDERR_FD).st_ino == before.st_ino
    os.write(STDERR_FD, b"of us\n")
    assert "of us" in capfd.readouterr().err
