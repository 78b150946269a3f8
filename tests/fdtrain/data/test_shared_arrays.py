"""Arrays for workers: a spawned process maps its parent's, and a copy for any other purpose is whole."""

from __future__ import annotations

import multiprocessing
import pickle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from fdtrain.data.shared_arrays import SharedArrays


def tell(arrays: SharedArrays, pipe: Connection[Any, Any]) -> None:
    pipe.send({name: (isinstance(array, np.memmap), array.tolist()) for name, array in arrays.items()})


def test_a_spawned_process_maps_the_arrays_of_its_parent() -> None:
    values = {"key": np.array([b"a-0", b"bc-1"]), "offset": np.arange(6).reshape(2, 3)}
    arrays = SharedArrays(values)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=tell, args=(arrays, theirs))
    process.start()
    found = ours.recv()
    process.join()
    assert found == {name: (True, array.tolist()) for name, array in values.items()}
    assert not any(isinstance(array, np.memmap) for array in arrays.values())


def test_a_pickle_is_whole_in_itself() -> None:
    arrays = SharedArrays({"offset": np.arange(6)})
    data = pickle.dumps(arrays)
    del arrays
    again = pickle.loads(data)
    assert list(again) == ["offset"]
    assert again["offset"].tolist() == [0, 1, 2, 3, 4, 5]
