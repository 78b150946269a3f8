"""Errors survive the way from a worker to its parent."""

from __future__ import annotations

import pickle

import pytest

from fdgen.errors import DatasetError, FdError, MixingError, PictureError, RecipeError


@pytest.mark.parametrize(
    "error",
    [
        DatasetError("no space is left", hint="free some"),
        RecipeError("seed must be 0 or more"),
        PictureError("a.jpg is empty", reason="empty-file"),
        MixingError("another dataset", differences=("recipe.seed: 0 -> 1",), hint="choose another folder"),
    ],
)
def test_errors_pickle_with_all_they_say(error: FdError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == error.message
    assert again.exit_code == error.exit_code
