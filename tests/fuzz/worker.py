"""The process that opens inputs: `python -m tests.fuzz.worker FORMAT SEEDS WORK FIRST INPUTS SEED`."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

from fdgen.errors import FdError
from tests.fuzz.formats import FORMATS, Format
from tests.fuzz.harness import CORPUS

ROOM_BYTES = 4_000_000_000
"""Address space beyond what the process has when it begins."""


def main() -> None:
    """Try the inputs from FIRST on, and tell of each on standard output, before and after."""
    name, seeds, work, first, inputs, seed = sys.argv[1:]
    told = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    warnings.simplefilter("ignore")
    one = FORMATS[name]
    place, out = Path(work), Path(work) / "a" / "b" / "c" / "out"
    kept = [path.read_bytes() for path in sorted((CORPUS / name).glob("*")) if path.is_file()]
    originals = [path.read_bytes() for path in sorted((Path(seeds) / "files" / name).iterdir())]
    home = place / "a" / "b" / "c" / "home"
    shutil.rmtree(place / "a", ignore_errors=True)
    home.parent.mkdir(parents=True)
    shutil.copytree(Path(seeds) / one.folder, home)
    whole = _listing(place)
    one.prepare()
    if one.attempt(home, home / one.file, out):  # which imports what there is to import, too
        raise SystemExit(f"the whole {name} is refused")
    _limit()
    for number in range(int(first), int(inputs)):
        what, data = _input(one, number, originals, kept, int(seed))
        (place / "input").write_bytes(data)
        shutil.rmtree(out, ignore_errors=True)
        told.write(json.dumps({"begin": number, "what": what}) + "\n")
        before_mb, since_s = _peak_mb(), time.monotonic()
        outcome, detail = _try(one, home, out, data)
        seconds, grown_mb = time.monotonic() - since_s, _peak_mb() - before_mb
        if odd := sorted(_listing(place) ^ whole):
            outcome, detail = "outside", f"{odd[0]} came or went"
            whole = _listing(place)
        answer = {"outcome": outcome, "detail": detail, "seconds": round(seconds, 3), "grown_mb": round(grown_mb, 1)}
        told.write(json.dumps(answer) + "\n")
        one.restore(home, Path(seeds) / one.folder)


def _input(one: Format, number: int, originals: list[bytes], kept: list[bytes], seed: int) -> tuple[str, bytes]:
    """Return what an input is called, and its bytes: first the corpus, then mutated seeds."""
    if number < len(kept):
        return f"corpus-{number}", kept[number]
    rng = np.random.default_rng([seed, number])
    pool = originals + kept
    data = (originals if rng.random() < 0.9 else pool)[int(rng.integers(len(originals)))]
    names = []
    for _ in range(1 if rng.random() < 0.8 else 2):
        mutator = one.mutators[int(rng.integers(len(one.mutators)))]
        names.append(mutator.__name__)
        data = mutator(data, rng, pool)
    return f"{number}-{'+'.join(names)}", data


def _try(one: Format, home: Path, out: Path, data: bytes) -> tuple[str, str]:
    """Put an input where it belongs and open it; return the outcome and, where that is bad, the reason."""
    path = home / one.file
    path.write_bytes(data)
    one.forge(home, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _sabotage(home)
            refused = one.attempt(home, path, out)
    except FdError as error:
        if "\n" in error.message or len(error.message) > 3_000:
            return "lines", repr(error.message)[:300]
        return "refused", ""
    except BaseException as error:  # noqa: BLE001 - to find what nobody foresaw is what this is for
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if "/fdgen/" in f.filename or "/fdtrain/" in f.filename
        ]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        return "foreign", f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:200]}"
    return ("refused" if refused else "accepted"), ""


def _sabotage(home: Path) -> None:
    """Do what no reader may do, where a test of the harness asks for it."""
    what = os.environ.get("FUZZ_SABOTAGE")
    if what == "raises":
        raise IndexError("out of place")
    if what == "kills":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hangs":
        time.sleep(60)
    if what == "writes":
        (home / f"odd-{time.monotonic_ns()}").touch()


def _listing(place: Path) -> set[str]:
    """Return the files that there are outside of the output folder, and beside the folder of all."""
    out = place / "a" / "b" / "c" / "out"
    inner = {str(path) for path in place.rglob("*") if out not in (path, *path.parents)}
    return {*inner, *map(str, place.parent.iterdir())} - {str(place / "input"), str(place / "stderr.txt")}


def _limit() -> None:
    """Bound memory, processor time, and the size of files."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    limits = {resource.RLIMIT_FSIZE: 500_000_000, resource.RLIMIT_CORE: 0}
    if pages:
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + ROOM_BYTES
    for what, most in limits.items():
        resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
