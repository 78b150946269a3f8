"""Build the demonstration set of the embedded faces and write its card: `python data_cards/make_demo.py [FOLDER]`.

The words of the card (`card.toml`) stay; all else is made anew. FOLDER keeps the dataset, which is thrown away without.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# As the command line does, before numpy is imported: pixels must not depend on the number of a BLAS' threads.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from fdgen.cards.card import write_card  # noqa: E402
from fdgen.contract.manifest import Manifest  # noqa: E402
from fdgen.faces.folders import SampleFaces  # noqa: E402
from fdgen.pipeline.builder import build  # noqa: E402
from fdgen.recipe.schema import Recipe  # noqa: E402

NAME, VERSION, COUNT = "faces-demo", "1.0.0", 64
CARD = Path(__file__).parent / f"{NAME}-{VERSION}"


def make(dataset: Path) -> Manifest:
    """Build the dataset; the same versions give the same bytes."""
    return build(Recipe.load(), SampleFaces(), dataset, count=COUNT, name=NAME, version=VERSION)


def main() -> None:
    """Build, and write the card over the one that is there."""
    with tempfile.TemporaryDirectory() as thrown_away:
        dataset = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(thrown_away) / "set"
        make(dataset)
        write_card(dataset, CARD, replace=True)


if __name__ == "__main__":
    main()
