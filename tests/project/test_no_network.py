"""No command opens a socket: faces stay on the machine, and nothing is looked up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fdgen.faces.folders import SAMPLES

COMMANDS = {
    "build": ("fdgen", "build", "--out", "{out}", "--count", "4", "--no-cache", "--workers", "2", "--quiet"),
    "landmarks": ("fdgen", "landmarks", "--faces", "{faces}", "--cache", "{out}", "--quiet"),
    "restore": ("fdtrain", "restore", "{face}", "--weights", "starter", "--masker", "starter-mask", "--out", "{out}"),
}


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which sees system calls, is not installed")
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_socket_is_opened(name: str, tmp_path: Path) -> None:
    """Not even by native code: seen by its system calls. Local sockets, which reach no network, are let pass."""
    program, *arguments = COMMANDS[name]
    places = {"out": tmp_path / "out", "faces": SAMPLES, "face": SAMPLES / "joe_biden.jpg"}
    command = [sys.executable, "-c", f"from fdcli.{program}.main import main; main()"]
    command += [argument.format(**places) for argument in arguments]
    calls = tmp_path / "calls"
    watched = ["strace", "-f", "-q", "-e", "trace=socket,connect", "-o", str(calls), *command]
    done = subprocess.run(watched, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    seen = [line for line in calls.read_text(encoding="utf-8").splitlines() if "socket(" in line or "connect(" in line]
    assert [line for line in seen if "AF_UNIX" not in line] == []
