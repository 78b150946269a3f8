"""Shapes of hands: blend shapes of our own over the one mesh, so that no two people have the same hand.

A shape is a table of JSON values. Lengths are factors on those of the mesh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from fdgen.analysis.geometry import vertex_normals
from fdgen.arrays import F64
from fdgen.occluders.hands.skeleton import DIGITS, JOINTS, HandModel, digit_joints

_KNOB_CM = 0.42
"""How far along a finger a swollen joint reaches."""


def draw_shape(rng: np.random.Generator) -> dict[str, Any]:
    """Draw the shape of a person's hands.

    `age` in [0, 1] also decides their skin. `wide` and `deep` scale the whole hand across and through, `lengths` each
    digit, the thumb first, `taper` thickens fingers at their roots and thins their ends, `knobs` is how far their
    joints stand out.
    """
    age = float(rng.beta(1.6, 2.4))
    together = rng.normal(0.0, 0.035)
    lengths = 1.0 + together + rng.normal(0.0, 0.018, 5)
    drawn: dict[str, Any] = {
        "age": age,
        "wide": min(max(rng.normal(1.0, 0.055), 0.88), 1.13),
        "deep": min(max(rng.normal(1.0, 0.07), 0.86), 1.16),
        "lengths": np.clip(lengths, 0.90, 1.10),
        "taper": min(max(rng.normal(0.02, 0.05), -0.06), 0.13),
        "knobs": min(max(rng.normal(0.03 + 0.07 * age, 0.03), 0.0), 0.15),
    }
    return {k: np.round(v, 5).tolist() if isinstance(v, np.ndarray) else round(v, 5) for k, v in drawn.items()}


def reshaped(model: HandModel, shape: Mapping[str, Any]) -> HandModel:
    """Return a hand at rest in a shape that `draw_shape` gave; its faces, weights and texture are the model's."""
    fields = _fields(model)
    grown = np.asarray(shape["lengths"]) - 1.0
    thicker = shape["taper"] * fields.taper + shape["knobs"] * fields.knobs
    size = np.array([shape["wide"], 1.0, shape["deep"]])
    longer = (grown @ fields.longer.reshape(len(DIGITS), -1)).reshape(-1, 3)
    cage = (model.cage_cm + longer + thicker[:, None] * model.radial) * size
    joints = (model.joints_cm + np.einsum("d,djc->jc", grown, fields.joints)) * size
    return replace(model, cage_cm=cage, cage_normals=vertex_normals(cage, model.cage_faces), joints_cm=joints)


@dataclass(frozen=True, slots=True)
class _Fields:
    """How far a shape's values move a cage at 1: `longer` (5, C, 3) and `joints` (5, 25, 3) a digit of twice its
    length, `taper` and `knobs` (C,) in radii from the axis of the finger.
    """

    longer: F64
    joints: F64
    taper: F64
    knobs: F64


@lru_cache(maxsize=4)
def _fields(model: HandModel) -> _Fields:
    n = len(model.cage_cm)
    longer, joints = np.zeros((len(DIGITS), n, 3)), np.zeros((len(DIGITS), len(JOINTS), 3))
    taper, knobs = np.zeros(n), np.zeros(n)
    for row, digit in enumerate(DIGITS):
        chain = digit_joints(digit)
        root, tip = model.joints_cm[chain[0]], chain[-1]
        for joint, following in pairwise(chain):
            axis = model.joints_cm[following] - model.joints_cm[joint]
            axis /= np.linalg.norm(axis)
            along = np.clip((model.cage_cm - model.joints_cm[joint]) @ axis, 0.0, None)
            moved = model.joints_cm[joint] - root + np.multiply.outer(along, axis)
            longer[row] += model.weights[:, joint : joint + 1] * moved
            joints[row, following] = model.joints_cm[following] - root
        longer[row] += model.weights[:, tip : tip + 1] * joints[row, tip]
        chain = chain[0 if digit != "thumb" else 1 :]
        root = model.joints_cm[chain[0]]
        length = float(np.linalg.norm(model.joints_cm[tip] - root))
        axis = (model.joints_cm[tip] - root) / length
        mine = model.weights[:, list(chain)].sum(1)
        taper += mine * (1.0 - 2.0 * np.clip((model.cage_cm - root) @ axis / length, 0.0, 1.0))
        for joint in chain[1:-1]:
            near = (model.cage_cm - model.joints_cm[joint]) @ axis
            strength = 1.0 if JOINTS[joint].endswith("intermediate") else 0.7
            knobs += mine * strength * (np.exp(-((near / _KNOB_CM) ** 2)) - 0.3)
    return _Fields(longer, joints, taper, knobs)
