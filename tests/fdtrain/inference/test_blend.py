"""Blends: each picture is the mean that its share says, the network runs once, rows keep their names and order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fdgen.arrays import Image
from fdtrain.errors import CheckpointError
from fdtrain.inference.blend import Beside, Blended, blend_in, blend_notes, blended, blended_name
from fdtrain.inference.finish import finish_in, finished
from fdtrain.inference.method import Method

SIDE = 8


def flat(level: int) -> Image:
    """Return a picture of one level."""
    return np.full((SIDE, SIDE, 3), level, np.uint8)


class TwoStages:
    """Paints 10 first and 101 last."""

    names = ("mine, stage I", "mine")

    def __init__(self) -> None:
        self.runs = 0

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Return both pictures of each pair."""
        self.runs += 1
        return [(flat(10), flat(101))] * len(pairs)


class OneStage:
    """Makes one picture."""

    names = ("single",)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Return it."""
        return [(flat(1),)] * len(pairs)


def levels(method: Method) -> list[int]:
    """Return the levels of what a method makes of one picture, in the order of its names."""
    (made,) = method.restore([(flat(0), np.full((SIDE, SIDE), 255, np.uint8))])
    assert len(made) == len(method.names)
    assert all(picture.dtype == np.uint8 and len(np.unique(picture)) == 1 for picture in made)
    return [int(picture[0, 0, 0]) for picture in made]


@pytest.mark.parametrize(
    ("beside", "names", "wanted"),
    [
        ("stages", ("mine, stage I", "mine, blend 0", "mine, blend 0.25", "mine"), [10, 10, 33, 101]),
        ("coarse", ("mine, stage I", "mine, blend 0", "mine, blend 0.25"), [10, 10, 33]),
        ("nothing", ("mine, blend 0", "mine, blend 0.25"), [10, 33]),
    ],
)
def test_each_share_has_its_mean_of_one_run(beside: Beside, names: tuple[str, ...], wanted: list[int]) -> None:
    model = TwoStages()
    method = Blended(model, [0, 0.25], beside=beside)
    assert method.names == names
    assert levels(method) == wanted
    assert model.runs == 1


def test_all_of_the_last_stage_is_the_model_itself() -> None:
    model = TwoStages()
    assert blended(model, []) is model
    assert blended(model, [1.0]) is model
    assert blended(model, [0.5, 1.0, 0.5]).names == ("mine, stage I", "mine, blend 0.5", "mine")


def test_a_model_of_one_stage_is_refused() -> None:
    with pytest.raises(CheckpointError, match="single makes one picture"):
        blended(OneStage(), [0.5])
    assert blended(OneStage(), [1.0]).names == ("single",)


def test_names_tell_blend_and_finish_apart() -> None:
    method = finished(blended(TwoStages(), [0.5]), "mirror")
    assert method.names[1] == "mine, blend 0.5, mirror"
    name, finish = finish_in(method.names[1])
    assert (blend_in(name), finish) == (("mine", 0.5), "mirror")
    assert blend_in("a file, blend x") == ("a file, blend x", 1.0)
    assert blended_name(*blend_in("mine, blend 0.75")) == "mine, blend 0.75"


def test_tables_say_what_a_blend_is_where_there_is_one() -> None:
    assert blend_notes([finished(blended(TwoStages(), [0.5]), "mirror")]) == [
        "blend: the mean of the pictures of both stages, with this share of the last one"
    ]
    assert blend_notes([TwoStages(), OneStage()]) == []
