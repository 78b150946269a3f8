"""Photographs that a recipe leaves out by name (`faces.exclude`), and the photographs that are left."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fdgen.contract.records import Reject
from fdgen.errors import RecipeError
from fdgen.faces.identities import with_people
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import AlteredFaces, FaceSource, OnFile, Source, refuse_empty

EXCLUDED = "excluded"
"""Reason of the reject of a photograph that the recipe leaves out."""

_KEY = re.compile(r"f(?P<sha256>[0-9a-f]{16})-\d+")
"""The key of a sample, which has the first digits of its photograph's sha256."""


def chosen_faces(faces: FaceSource, *, identity: str, exclude: Sequence[str]) -> FaceSource:
    """Return a set of photographs as a recipe wants it: without those of `exclude`, people known as `identity` says.

    Names are paths below the folder of the photographs, or keys of samples that were made of them. Listing it raises
    `RecipeError` for a name that matches nothing.
    """
    return with_people(identity, WithoutPhotographs(faces, tuple(exclude)) if exclude else faces)


def leave_out(
    exclude: Sequence[str], sources: Sequence[Source], rejects: Sequence[Reject] = ()
) -> tuple[list[Source], list[Source]]:
    """Return the photographs that are left, and those that are left out; `rejects` may be named, and change nothing.

    Raises `RecipeError` where a name matches nothing, with the nearest there is.
    """
    digits = {match["sha256"] for name in exclude if (match := _KEY.fullmatch(name))}
    names = set(exclude)
    kept, left_out = list[Source](), list[Source]()
    for source in sources:
        is_named = source.path in names or source.sha256[:16] in digits
        (left_out if is_named else kept).append(source)
    there = {source.path for source in left_out} | {reject.source for reject in rejects}
    made_of = {source.sha256[:16] for source in left_out}
    for name in exclude:
        match = _KEY.fullmatch(name)
        if name not in there and not (match and match["sha256"] in made_of):
            near = difflib.get_close_matches(name, [source.path for source in sources], n=1)
            meant = f", did you mean {near[0]!r}?" if near else ""
            raise RecipeError(
                f"faces.exclude names {name!r}, and no photograph is called that{meant}",
                hint="names are paths below the folder of faces, as the photographs.txt of `fdgen browse` has them",
            )
    return kept, left_out


@dataclass(frozen=True)
class WithoutPhotographs(AlteredFaces):
    """Photographs without those that are named; the rest is as `faces` has it."""

    exclude: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how many are left out, and what else the photographs have to say."""
        n = len(self._left_out())
        return (f"photographs that the recipe leaves out by name: {n:,}", *self.faces.notes)

    def sources(self, on_file: OnFile | None = None) -> Sequence[Source]:
        """List the photographs that are left; raise `FacesError` where there are none, `RecipeError` for a name."""
        kept, _ = leave_out(self.exclude, self.faces.sources(on_file), self.faces.rejects())
        refuse_empty(self.root, kept, [] if kept else self.rejects())
        return SourceTable(kept)

    def rejects(self) -> list[Reject]:
        """List the files found unusable, and those that are left out."""
        detail = "the recipe leaves it out (faces.exclude)"
        left_out = [Reject(source.path, source.sha256, 0, EXCLUDED, detail) for source in self._left_out()]
        return [*self.faces.rejects(), *left_out]

    def _left_out(self) -> list[Source]:
        return leave_out(self.exclude, self.faces.sources(), self.faces.rejects())[1]
