"""`fdtrain export`: write a trained network as a file that runs without fdtrain."""

from __future__ import annotations

from pathlib import Path

import click

from ..shared.fdgen_options import json_option, quiet_option
from ..shared.output import Voice, counted, emit, emit_json
from ..shared.path_types import LocalPath

FORMATS = ("onnx", "pt2")
"""As the library has them: the help must not import it."""


@click.command("export")
@click.argument("weights", type=LocalPath(), metavar="RUN|FILE")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Format: onnx for onnxruntime, pt2 for torch.export.  [default: the suffix of --out]",
)
@click.option("--out", required=True, type=LocalPath(dir_okay=False), metavar="FILE", help="File to write.")
@quiet_option
@json_option
def command(weights: Path, form: str | None, out: Path, quiet: bool, as_json: bool) -> None:
    """Write a trained generator or segmentation network as ONNX, or in torch.export's format.

    RUN|FILE is a run's folder (its best weights) or a .safetensors file. Any batch size works; the size of the
    pictures is fixed. The file is compared with torch, on 12 pictures in batches of 1, 3 and 8, before it gets its
    name. A file that differs by more than 0.001 anywhere is deleted. The metadata states the inputs, the outputs, and
    the uses that are not allowed.
    """
    context = click.get_current_context()
    suffix = out.suffix.removeprefix(".")
    wanted = f".{form}" if form else ".onnx or .pt2"
    if suffix not in FORMATS:
        raise click.UsageError(f"--out must end in {wanted}, got {out}", context)
    if form not in (None, suffix):
        raise click.UsageError(f"--format {form} does not fit a file called {out.name}", context)

    from fdtrain.inference.open_generator import require_torch
    from fdtrain.run_files import make_folder

    require_torch(weights)
    make_folder(out.parent)  # before the work

    from fdtrain.inference.exporter import export
    from fdtrain.inference.model_label import ModelLabel, toy_note
    from fdtrain.training.checkpoint import read_facts
    from fdtrain.training.weight_files import find_weights

    voice = Voice(quiet)
    label = ModelLabel.of_facts(weights, read_facts(find_weights(weights)))
    if note := toy_note([label]):
        voice.say(f"note: {note}")
    voice.say(f"writing {out} and comparing it with torch")
    done = export(weights, out, form=suffix)
    metadata = done.metadata
    if as_json:
        emit_json(
            {
                "out": str(done.path),
                "bytes": done.bytes,
                "model": label.json(),
                "task": metadata.task,
                "size_px": metadata.size_px,
                "inputs": dict(metadata.inputs),
                "outputs": dict(metadata.outputs),
                "most_difference": done.most,
                "pictures": done.pictures,
            }
        )
    else:
        emit(str(done.path))
    voice.say(
        f"{done.bytes / 1e6:,.1f} MB, {metadata.size_px} px, {', '.join(metadata.inputs)} -> "
        f"{', '.join(metadata.outputs)}; on {counted(done.pictures, 'picture')} it differs from "
        f"torch by {done.most:.1g} at most"
    )
