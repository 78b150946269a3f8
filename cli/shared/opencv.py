"""The installed opencv: one wheel is asked for, the headless one, but other packages may bring another.

All share one folder, so that the one installed last is the code that runs. At one release they are the same code, but
not linked alike: all but the headless ones need libGL, which servers and small containers lack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import TracebackType

from fdgen.runtime.installed import OPENCV

WHEEL, *OTHERS = OPENCV
RELEASES = ">=4.11,<5"
"""The releases that pyproject.toml admits; a test compares the two."""

HEADLESS = f"pip install --force-reinstall --no-deps '{WHEEL}{RELEASES}'"
"""Alone and last: where pip installs several it chooses their order."""

REINSTALL = f"run `pip uninstall --yes {' '.join(OTHERS)} && {HEADLESS}`"

_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


def landed_last() -> str | None:
    """Return the name of the wheel whose files are there, without importing them; None where that cannot be known."""
    spec = util.find_spec("cv2")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("version.py")
    told = (
        dict(re.findall(r"^(contrib|headless) = (True|False)$", path.read_text("utf-8"), re.M))
        if path.is_file()
        else {}
    )
    if len(told) < 2:
        return None
    parts = ["opencv", *(["contrib"] if told["contrib"] == "True" else []), "python"]
    return "-".join([*parts, *(["headless"] if told["headless"] == "True" else [])])


def import_trouble(error: BaseException) -> tuple[str, str] | None:
    """Return why opencv cannot be imported, and the cure; None where an error is of something else."""
    if not isinstance(error, ImportError) or not _is_of_cv2(error):
        return None
    library = _LIBRARY.search(str(error))
    if library is None:
        return f"opencv cannot be imported: {error}", REINSTALL
    return (
        f"opencv cannot be loaded: this system has no {library[1]}",
        f"run `apt install libgl1 libglib2.0-0`, or `{HEADLESS}`",
    )


def _is_of_cv2(error: ImportError) -> bool:
    if (error.name or "").split(".")[0] == "cv2":
        return True
    return any("cv2" in Path(file).parts[-2:-1] for file in _files(error.__traceback__))


def _files(trace: TracebackType | None) -> Iterator[str]:
    """Yield the file of each frame of a traceback."""
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
