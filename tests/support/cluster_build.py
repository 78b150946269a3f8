"""A build without faces on an engine, as a program: `ENGINE OUT OPTIONS`.

A worker kills itself, once, where the environment names a file that is not there yet.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from fdgen.pipeline.engines import EngineName, running
from tests.support.fake_build import STEPS, FakeFaces, generate, run


def generate_or_die(face: Any, recipe: Any, library: Any, variant: int = 0, **options: Any) -> Any:
    """Make a sample, unless it is the first of its kind and nobody has died yet."""
    if face.source.sha256[0] in "01234567":
        try:
            os.close(os.open(os.environ["FAKE_BUILD_DIES_ONCE"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return generate(face, recipe, library, variant, **options)


def main() -> None:
    """Build."""
    engine_name, out, text = sys.argv[1:]
    options = json.loads(text)
    faces = FakeFaces.of(options.pop("faces"))
    steps = dataclasses.replace(STEPS, generate=generate_or_die)
    with running(EngineName.parse(engine_name)) as engine:
        run(Path(out), faces, steps=steps, executor=engine.executor, workers=engine.workers, **options)


if __name__ == "__main__":
    from tests.support.cluster_build import main as importable  # not of `__main__`, which workers do not have

    importable()
