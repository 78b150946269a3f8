"""Cut the networks that `fdgen.networks` runs out of those that mediapipe 0.10.21 carries.

Run it from the root of the project, with mediapipe's package unpacked in a folder:

    python docs/make_networks.py FOLDER

The detectors and the segmentation stay as they are. FaceMesh with attention calls three operations of mediapipe's own
between its parts: it is cut there, into a trunk and one refinement each for the lips and the eyes, and what these
operations were told (which points, which scale) goes to `refinements.json`. No weight is changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

from fdgen.networks.engine import MODELS
from fdgen.networks.refinement import FEATURE_PX, GRID, MARGIN

RELEASE = "0.10.21"
MESH = "face_landmark/face_landmark_with_attention.tflite"
WHOLE = {
    "face_detection_short_range.tflite": "face_detection/face_detection_short_range.tflite",
    "face_detection_full_range.tflite": "face_detection/face_detection_full_range_sparse.tflite",
    "person_segmentation.tflite": "selfie_segmentation/selfie_segmentation.tflite",
}
EXPECTED = {
    "scale_x": MARGIN,
    "scale_y": MARGIN,
    "output_width": GRID,
    "output_height": GRID,
    "target_rotation_radians": 0.0,
}
PARTS = ("lips", "left_eye", "right_eye")
CUSTOM = 32  # code of an operation that is none of TensorFlow Lite's own


class Graph:
    """A network, and which operation makes each of its tensors."""

    def __init__(self, data: bytes) -> None:
        self.model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        self.graph = self.model.subgraphs[0]
        self.made_by = {int(tensor): op for op in self.graph.operators for tensor in op.outputs}

    def custom(self, name: str) -> list[Any]:
        """Return the operations of mediapipe's own with a name, in order."""
        codes = [
            i for i, code in enumerate(self.model.operatorCodes) if code.customCode and code.customCode.decode() == name
        ]
        return [op for op in self.graph.operators if op.opcodeIndex in codes]

    def named(self, name: str) -> int:
        """Return the tensor with a name."""
        return next(i for i, tensor in enumerate(self.graph.tensors) if tensor.name.decode() == name)

    def constant(self, tensor: int) -> np.ndarray[Any, Any]:
        """Return the values of a constant that is kept in half precision."""
        op = self.made_by[tensor]  # DEQUANTIZE
        half = self.graph.tensors[int(op.inputs[0])]
        return np.frombuffer(bytes(self.model.buffers[half.buffer].data), np.float16).reshape(half.shape)


def cut(data: bytes, inputs: list[int], outputs: list[int]) -> bytes:
    """Return the part of a network between some tensors, with the weights it needs."""
    whole = Graph(data)
    model, graph = whole.model, whole.graph
    kept: set[int] = set()
    waiting = list(outputs)
    while waiting:
        tensor = waiting.pop()
        op = whole.made_by.get(tensor)
        if tensor in inputs or op is None or id(op) in kept:
            continue
        kept.add(id(op))
        waiting += [int(i) for i in op.inputs if i >= 0]
    graph.operators = [op for op in graph.operators if id(op) in kept]
    used = {*inputs, *outputs, *(int(i) for op in graph.operators for i in (*op.inputs, *op.outputs))} - {-1}
    place = {tensor: i for i, tensor in enumerate(sorted(used))} | {-1: -1}
    graph.tensors = [graph.tensors[tensor] for tensor in sorted(used)]
    for op in graph.operators:
        op.inputs, op.outputs = [place[int(i)] for i in op.inputs], [place[int(i)] for i in op.outputs]
    graph.inputs, graph.outputs = [place[i] for i in inputs], [place[i] for i in outputs]
    buffers, moved = [model.buffers[0]], {0: 0}
    for tensor in graph.tensors:
        if tensor.buffer not in moved:
            moved[tensor.buffer] = len(buffers)
            buffers.append(model.buffers[tensor.buffer])
        tensor.buffer = moved[tensor.buffer]
    model.buffers = buffers
    model.signatureDefs = model.metadata = model.metadataBuffer = None
    codes = sorted({op.opcodeIndex for op in graph.operators})
    model.operatorCodes = [model.operatorCodes[code] for code in codes]
    for op in graph.operators:
        op.opcodeIndex = codes.index(op.opcodeIndex)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def cut_mesh(data: bytes) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the parts of FaceMesh by the names of their files, and what joins them."""
    mesh = Graph(data)
    matrices = mesh.custom("Landmarks2TransformMatrix")
    samples = mesh.custom("TransformTensorBilinear")
    finals = mesh.custom("TransformLandmarks")
    features = int(samples[0].inputs[0])
    files = {
        "face_mesh.tflite": cut(
            data,
            [int(mesh.graph.inputs[0])],
            [mesh.named("output_mesh"), features, mesh.named("conv_faceflag")],
        )
    }
    joined = {}
    for part, matrix, sample in zip(PARTS, matrices, samples, strict=True):
        options = flexbuffers.Loads(bytes(matrix.customOptions))
        mine = [op for op in finals if int(op.inputs[1]) in _products(mesh, int(matrix.outputs[0]))]
        heads = [int(mesh.made_by[int(op.inputs[0])].inputs[0]) for op in mine]
        files[f"{part}.tflite"] = cut(data, [int(sample.outputs[0])], heads)
        (factors,) = {int(op.inputs[1]) for op in mine}
        _check(
            {name: options[name] for name in EXPECTED},
            mesh.constant(int(mesh.made_by[int(matrix.inputs[0])].inputs[1])),
            mesh.constant(int(mesh.made_by[factors].inputs[1]))[0, :2],
        )
        joined[part] = {
            "left": options["left_rotation_idx"],
            "right": options["right_rotation_idx"],
            "points": list(options["subset_idxs"]),
        }
    return files, joined


def _check(options: dict[str, Any], into_features: Any, out_of_features: Any) -> None:
    """Stop where a part is joined otherwise than `fdgen.networks.refinement` joins it."""
    if options != EXPECTED or into_features != 1 / FEATURE_PX:
        raise SystemExit(f"another geometry than is known: {options}, {into_features}")
    if not (out_of_features == [1, 1, FEATURE_PX, FEATURE_PX]).all():
        raise SystemExit(f"another way back than is known: {out_of_features}")


def _products(mesh: Graph, matrix: int) -> set[int]:
    return {tensor for tensor, op in mesh.made_by.items() if matrix in {int(i) for i in op.inputs}}


def main() -> None:
    """Write the networks, and what joins them, to `fdgen/networks/models`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="the package `mediapipe`, unpacked")
    modules: Path = parser.parse_args().folder / "modules"
    data = (modules / MESH).read_bytes()
    files, joined = cut_mesh(data)
    origins = dict.fromkeys(files, MESH)
    for name, origin in WHOLE.items():
        files[name], origins[name] = (modules / origin).read_bytes(), origin
    for name, content in files.items():
        (MODELS / name).write_bytes(content)
    (MODELS / "refinements.json").write_text(json.dumps(joined) + "\n", encoding="utf-8")
    index = {
        "release": f"mediapipe {RELEASE}",
        "networks": {
            name: {
                "sha256": hashlib.sha256(content).hexdigest(),
                "of": origins[name],
                "of_sha256": hashlib.sha256((modules / origins[name]).read_bytes()).hexdigest(),
            }
            for name, content in sorted(files.items())
        },
    }
    (MODELS / "index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
