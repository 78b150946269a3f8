"""What a build pays once, whatever it makes, in CPU seconds: imports, tables of occluders, the first drawings."""

from __future__ import annotations

import json
import subprocess
import sys

_STAGES = """
import json, os, time
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
stages, began = {}, time.process_time()
def stage(name):
    global began
    stages[name] = time.process_time() - began
    began = time.process_time()
import fdgen.pipeline.builder, fdgen.pipeline.worker
from fdgen.pipeline.worker import Steps
steps = Steps.real()
import fdgen.faces.detector
stage("imports")
library = steps.load_library()
stage("tables of occluders")
from fdgen.faces.detector import Detector
Detector()
stage("networks of the detector")
from fdgen.pipeline.warmup import compile_renderer, is_compiled
compiled = is_compiled()
compile_renderer(library)
stage("first drawing of each kind" if compiled else "compiling")
print(json.dumps(stages))
"""


def fixed_costs(repeats: int) -> dict[str, float]:
    """Return the CPU seconds of a worker's start by stage, the least of several fresh processes.

    The first compiles what has not been compiled, and does not count.
    """
    runs = [_run() for _ in range(repeats + 1)][1:]
    return {stage: round(min(run[stage] for run in runs), 3) for stage in runs[0]}


def _run() -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", _STAGES], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    stages: dict[str, float] = json.loads(done.stdout)
    return stages
