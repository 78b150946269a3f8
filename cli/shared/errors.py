"""What a command prints when it fails: one sentence, the next step, and an exit code.

0 done, 1 failed, 2 wrong usage, 3 a check found problems, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

import click

from fdgen.errors import FdError, in_words

from .opencv import import_trouble

DEBUG_VARIABLE = "FDGEN_DEBUG"

FAILED, USAGE, PROBLEMS, INTERRUPTED = 1, 2, 3, 130


_NO_MEMORY = ("can't allocate memory", "CUDA out of memory", "Insufficient memory")
"""What torch on the CPU, torch on a GPU, and opencv say where memory runs out; numpy and Python raise `MemoryError`."""

NUMPY_TOO_OLD = "pyarrow requires NumPy"
"""How pyarrow from 26 on begins, imported where numpy is 1; pip installs them together, since it does not ask for 2."""

NUMPY_REMEDY = "run `pip install 'pyarrow<26'`, or `pip install 'numpy>=2'` where nothing else wants numpy 1"


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The user pressed Ctrl-C, or the system asked the program to end; the text says what is kept and how to go on."""


class reporting:  # noqa: N801 - used as `with reporting(...)`
    """Turn what its block raises into words on standard error and `SystemExit`.

    A class and not a generator, since `__exit__` sees every exception without a handler that catches all.
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self._before: Any = None

    def __enter__(self) -> reporting:
        """Let a request to end (SIGTERM) be as Ctrl-C is: workers end in order, and what is kept is said."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        if error is None or isinstance(error, SystemExit):
            return
        if isinstance(error, click.exceptions.Exit):
            sys.exit(error.exit_code)
        if debugging() and not isinstance(error, click.ClickException):
            traceback.print_exception(kind, error, trace)
        sys.exit(self._tell(error))

    def _tell(self, error: BaseException) -> int:
        if isinstance(error, Interrupted | KeyboardInterrupt | click.Abort):
            report_error("interrupted", str(error))
            return INTERRUPTED
        if isinstance(error, FdError):
            report_error(f"error: {error.message}", error.hint)
            return error.exit_code
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message(), err=True)
            return error.exit_code
        if isinstance(error, click.ClickException):
            context = getattr(error, "ctx", None)
            where = context.command_path if context else self.program
            report_error(f"error: {_sentence(error.format_message())}", f"`{where} --help` lists the choices")
            return error.exit_code
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            # The reader of our output (`head`, say) has gone; the interpreter's own flush at exit must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        if isinstance(error, OSError) and error.strerror:
            where = "" if error.filename is None else f"{error.filename}: "
            report_error(f"error: {where}{in_words(error)}", "correct that, or name another file, and run it again")
            return FAILED
        if isinstance(error, RuntimeError) and "no locator available" in str(error):  # numba's, as it is imported
            report_error(
                "error: the compiled renderer cannot be saved: the package's folder and your cache are read-only",
                "set NUMBA_CACHE_DIR to a folder that you may write to",
            )
            return FAILED
        if (trouble := import_trouble(error)) is not None:
            report_error(f"error: {trouble[0]}", trouble[1])
            return FAILED
        if isinstance(error, ImportError) and str(error).startswith(NUMPY_TOO_OLD):
            report_error(f"error: pyarrow cannot be imported: {error}", NUMPY_REMEDY)
            return FAILED
        if isinstance(error, RuntimeError) and (loop := str(error)).startswith("Symlink loop from "):  # Path.resolve's
            report_error(
                f"error: {loop.removeprefix('Symlink loop from ')} is a link that leads to itself", "name another"
            )
            return FAILED
        text = " ".join(str(error).split()) or "no message"
        if isinstance(error, ImportError) and (error.name or "").split(".")[0] not in ("", "fdgen", "fdtrain", "fdcli"):
            report_error(
                f"error: {error.name} cannot be imported: {text}",
                f"`{self.program} doctor` reports what is missing, and how to get it",
            )
            return FAILED
        if isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY):
            report_error(
                "error: there is too little memory for this",
                "close other programs, or use a smaller --size, --batch or number of --workers",
            )
            return FAILED
        report_error(
            f"error: {self.program} failed unexpectedly: {type(error).__name__}: {text}",
            "rerun the command with --debug for the traceback, and report it as a bug",
        )
        return FAILED


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def debugging() -> bool:
    """Return whether tracebacks are wanted: `--debug`, or the environment variable."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def report_error(sentence: str, next_step: str = "") -> None:
    """Write an error to standard error, and what to do next below it."""
    click.secho(sentence, err=True, fg="red")
    if next_step:
        click.echo(f"  {next_step}", err=True)


def _sentence(text: str) -> str:
    """Write click's sentences as ours: without capital and full stop. What is all capitals is a name."""
    first = text.partition(" ")[0].rstrip(":")
    return (text if first.isupper() else text[:1].lower() + text[1:]).rstrip(".")
