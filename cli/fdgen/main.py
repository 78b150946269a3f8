"""The program `fdgen`."""

from __future__ import annotations

import os

# Before numpy is imported: the sums of a threaded BLAS depend on how many threads it has, and pixels would with them.
# Workers inherit this; they are many already, one thread each is also the fastest. A value that is set already is
# replaced: job schedulers set these without anybody's asking, and the same command must give the same bytes.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import click  # noqa: E402

from fdgen.version import __version__  # noqa: E402

from ..shared.lazy_group import Program, debug_option  # noqa: E402
from ..shared.output import open_closed_streams  # noqa: E402

MODULES = {
    "build": ("build", "Make a dataset, or resume one that was stopped."),
    "import": ("import_pairs", "Make a dataset of pairs that another program made."),
    "preview": ("preview", "Draw a contact sheet, and write nothing else."),
    "verify": ("verify", "Check a dataset: every byte, pixel and count."),
    "info": ("info", "Report what a dataset contains and where it comes from."),
    "show": ("show", "Show one sample: its record, and its four pictures."),
    "browse": ("browse", "Look through a dataset in the browser."),
    "card": ("card", "Write or check the data card of a dataset."),
    "push": ("push", "Write a dataset, or its card, to the Hub."),
    "export": ("export", "Write a dataset as imagefolder, parquet or COCO."),
    "diff": ("diff", "Report what changed between two versions of a dataset."),
    "replay": ("replay", "Render one sample again from its record, and compare."),
    "reproduce": ("reproduce", "Rebuild a published version, and compare its ids."),
    "landmarks": ("landmarks", "Detect the landmarks of faces once, and cache them."),
    "recipe": ("recipe", "List, show, check or start a recipe."),
    "assets": ("assets", "List or draw the occluders, or add your own."),
    "doctor": ("doctor", "Check the installation."),
    "completion": ("completion", "Print a completion script for your shell."),
}


@click.group(
    "fdgen",
    cls=Program,
    modules=MODULES,
    package=__package__,
    params=[debug_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="fdgen")
def program() -> None:
    """Turn photographs of faces into exact triplets: clean, occluded, mask.

    `fdgen build --out demo` makes a dataset of the faces that are included with the package; `--faces FOLDER` names
    your own. Data goes to standard output, progress and messages to standard error.
    """
    from fdgen.runtime.scratch import sweep_temporary

    sweep_temporary()


def main() -> None:
    """Run the program; the console script calls this."""
    open_closed_streams()
    program(prog_name="fdgen")
