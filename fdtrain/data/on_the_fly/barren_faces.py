"""Faces that gave no triplet in an epoch where occluders are drawn while training: counted, and reported at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fdtrain.data.stored_samples import StoredSamples

_NAMED = 3


class BarrenFaces:
    """Counts the turns that another face took, and which faces they were of; nothing where samples are stored."""

    def __init__(self, train: StoredSamples[Any], note: Callable[[str], None]) -> None:
        self._train, self._note = train, note
        self.turns, self.places = 0, set[int]()

    def add(self, sample: Mapping[str, Any]) -> None:
        """Take in a batch as the loader gives it: `gave_none` (B,) has the place of such a face, else -1."""
        if "gave_none" in sample:
            places = [place for place in sample["gave_none"].tolist() if place >= 0]
            self.turns += len(places)
            self.places.update(places)

    def tell(self) -> None:
        """Report how many there were, with a few photographs."""
        if not self.turns:
            return
        sources = self._train.table["source"].tolist()
        paths = sorted(str(sources[place]) for place in self.places)
        more = ", ..." if len(paths) > _NAMED else ""
        self._note(
            f"faces that took no occluder of the recipe in some epoch, so that another took their turn: {len(paths):,} "
            f"({', '.join(paths[:_NAMED])}{more}), {self.turns:,} times in all"
        )
