"""The program `fdtrain`."""

from __future__ import annotations

import os

# Before torch is imported: threads that wait for each other spin, and with one other busy process on two cores a step
# takes seven times as long. After a thousand turns they sleep: 1 to 5 % slower on an idle machine, and no bit changes.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import click

from fdgen.version import __version__

from ..shared.lazy_group import Program, debug_option

MODULES = {
    "fit": ("fit", "Train, or resume a run that was stopped."),
    "status": ("status", "Report the progress, speed and quality of a run."),
    "eval": ("evaluate", "Measure models and references, by kind and coverage."),
    "compare": ("compare", "Train and measure many methods equally: the paper's Table 1."),
    "ablate": ("ablate", "Train with parts left out: the paper's Tables 2 and 3."),
    "audit": ("audit", "Check whether reported numbers can be true."),
    "report": ("report", "Make one HTML page of runs and their results."),
    "card": ("card", "Write the model card of a run or an exported network."),
    "push": ("push", "Write weights and their card to the Hub."),
    "restore": ("restore", "Remove occluders from photographs or a video."),
    "export": ("export", "Write a network as ONNX or torch.export, and check it."),
    "demo": ("demo", "Serve a web page on which to try a model."),
    "presets": ("presets", "List the presets with parameters and cost."),
    "bench": ("bench", "Measure images per second, memory and loading time."),
    "doctor": ("doctor", "Check the installation for training."),
}


@click.group(
    "fdtrain",
    cls=Program,
    modules=MODULES,
    package=__package__,
    params=[debug_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="fdtrain")
def program() -> None:
    """Train the two-stage stacked GAN that removes occluders from faces.

    `fdtrain fit --data DATASET --out RUN` trains on a dataset that `fdgen build` made. Data goes to standard output,
    progress and messages to standard error.
    """
    from fdgen.runtime.scratch import sweep_temporary

    sweep_temporary()


def main() -> None:
    """Run the program; the console script calls this."""
    program(prog_name="fdtrain")


if __name__ == "__main__":  # `torchrun -m fdcli.fdtrain.main fit ...` starts several processes
    main()
