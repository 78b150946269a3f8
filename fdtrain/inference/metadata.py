"""The metadata of an exported file: inputs, outputs, origin, and uses that are not allowed.

An ONNX file has it as its metadata, a torch.export file as a member of its archive: `ExportMetadata` as JSON by the key
`fdtrain`, and next to it sentences for any user who opens the file with another program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from fdgen.io.json_file import fits, parse_json
from fdtrain.errors import CheckpointError
from fdtrain.inference.model_label import TOY_KEY, ModelLabel, toy_note
from fdtrain.inference.probes import BATCHES

SCHEMA = 1
"""Version of the metadata: a reader refuses any other."""

KEY = "fdtrain"

MOST_PX = 4_096
"""Side of the pictures of any network of ours, and more: a side is room for pictures."""

OCCLUDED, MASK, EDGES, MAPS, PICTURE = "occluded", "mask", "edges", "landmark_maps", "picture"
COARSE, RESTORED, OCCLUDER, KINDS = "coarse", "restored", "occluder", "kinds"
"""Names of inputs and outputs."""

INVENTED = (
    "What is put in place of an occluder is invented: it is no evidence of how a person looks or of who they are, "
    "and must not be used to identify people."
)

PREPROCESSING = (
    "Pictures are aligned faces, RGB, float32 of shape (batch, 3, side, side): 8-bit value / 127.5 - 1, in [-1, 1]. "
    "Masks are float32 of shape (batch, 1, side, side): 1 where something is to be replaced, 0 elsewhere. Restored "
    "pictures come raw, in [-1, 1]: paste them into the hole of the input."
)


TOLERANCE = 1e-3
"""Most that an exported network may differ from torch in any value; a grey level of 255 is 8e-3."""

CHECKED = {"tolerance": TOLERANCE, "batches": BATCHES}
"""What a file says of the comparison: one that did not pass was never written."""


@dataclass(frozen=True)
class ExportMetadata:
    """What a network takes and gives. `inputs` and `outputs` have a line of words for each name, in their order.

    `task` is `restore` or `mask`; `size_px` the side of every picture; the batch is free. `trained` names preset, data
    and length of training, and of a toy why it is one; `checked` how close the file came to torch. `edges_sigma_px` is
    the sigma of Canny's detector, for networks that see edges.
    """

    task: Literal["restore", "mask"]
    size_px: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    trained: Mapping[str, Any]
    kinds: tuple[str, ...] = ()
    edges_sigma_px: float | None = None
    checked: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: str = PREPROCESSING
    use: str = INVENTED
    schema: int = SCHEMA

    def entries(self) -> dict[str, str]:
        """Return the entries of a file, by key."""
        told = {KEY: json.dumps(asdict(self)), "preprocessing": self.preprocessing, "use": self.use}
        note = toy_note([ModelLabel.of_metadata("this network", self)])
        return told if note is None else {**told, TOY_KEY: note}

    @classmethod
    def read(cls, entries: Mapping[str, str], name: str) -> ExportMetadata:
        """Read it from a file's entries; raise `CheckpointError` naming the file where there is none."""
        try:
            values = parse_json(entries[KEY])
            if values["schema"] == SCHEMA:
                if (wrong := fits(cls, values)) is not None:
                    raise ValueError(wrong)
                if not 0 < values["size_px"] <= MOST_PX:
                    raise ValueError(f"its side is {values['size_px']} px")
                return cls(**{**values, "kinds": tuple(values["kinds"])})
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{name} was not written by `fdtrain export`: it does not say what goes in and what comes out",
                hint="export it again from its weights",
            ) from error
        raise CheckpointError(
            f"{name} has metadata of schema {values['schema']}, this version reads {SCHEMA}",
            hint="export it again with this version, from its weights",
        )
