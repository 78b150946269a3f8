"""What differs from the time when a version was built: reported before it is rebuilt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fdgen.dataset.spec import flat
from fdgen.faces.detection import networks_by_version
from fdgen.faces.sources import Source
from fdgen.io.pictures.codecs import codec_version
from fdgen.pipeline.finish import environment
from fdgen.recipe.schema import Recipe
from fdgen.versions.difference import changed_names, other_libraries, source_names
from fdgen.versions.lock import Lock
from fdgen.versions.lock_tables import source_rows


@dataclass(frozen=True, slots=True)
class Drift:
    """Something that is not as it was when the version was built.

    `what` is `recipe`, `codec`, `source`, `asset`, `landmarks` or `library`. Where it is `asked`, it is a part of
    spec_id, so that the ids cannot be equal; else it may change pixels, or may not.
    """

    what: str
    message: str
    asked: bool


def drifts(
    lock: Lock, recipe: Recipe, sources: Sequence[Source], digests: Mapping[str, str], detector: str, *, given: bool
) -> list[Drift]:
    """Compare what a version was made of with what is here.

    Args:
        lock: The version's lock.
        recipe: The recipe as it is read here.
        sources: The photographs that are here.
        digests: The sha256 of each occluder by its id.
        detector: Version of what finds landmarks.
        given: Whether landmarks are taken from a file.
    """
    return [
        *_recipe_findings(lock, recipe),
        *_source_findings(lock, sources),
        *_asset_findings(lock, digests),
        *_landmark_findings(lock, detector, given),
        *_library_findings(lock),
    ]


def _recipe_findings(lock: Lock, recipe: Recipe) -> list[Drift]:
    """Return the fields that this release has and that of the version had not, or the other way round."""
    before, after = flat(lock.recipe, ""), flat(recipe.as_dict(), "")
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    findings = [
        Drift("recipe", f"{name} is {after.get(name)!r} in this release, and {before.get(name)!r} in the card", True)
        for name in names
    ]
    asked, here = lock.facts.get("codec"), codec_version(recipe.codec)
    if asked != here:
        findings.append(Drift("codec", f"pictures are encoded by {here}, those of the version were by {asked}", True))
    return findings


def _source_findings(lock: Lock, sources: Sequence[Source]) -> list[Drift]:
    columns = (lock.sources[name].to_pylist() for name in lock.sources.schema.names)
    before = {path: (digest, known) for path, digest, known in zip(*columns, strict=True)}
    after = {path: (digest, known) for path, digest, known in source_rows(sources)}
    found = source_names(before, after)
    if len(found.removed) == len(before):
        message = f"none of the {len(before):,} photographs is there: name their folder with --faces"
        return [Drift("source", message, True)]
    used = Counter(lock.samples["source"].to_pylist())
    told = (
        ("missing", found.removed),
        ("of other bytes", found.changed),
        ("called otherwise", [f"{old} -> {new}" for old, new in found.renamed]),
        ("the same, but other is known of them: check that the lists of CelebA are the same", found.known),
        ("new", found.added),
    )
    findings = []
    for how, names in told:
        if names:
            one = "1 photograph is" if len(names) == 1 else f"{len(names):,} photographs are"
            message = f"{one} {how}; the first is {names[0]}"
            if giving := sum(used[name.partition(" -> ")[0]] for name in names):
                message += f"; {giving:,} of the version's samples come of {'it' if len(names) == 1 else 'them'}"
            findings.append(Drift("source", message, True))
    return findings


def _asset_findings(lock: Lock, digests: Mapping[str, str]) -> list[Drift]:
    found = changed_names(lock.facts["assets"], digests)
    words = {"removed": "missing: a pack is named with --pack", "changed": "altered", "added": "new to this version"}
    findings = []
    for what, how in words.items():
        if names := getattr(found, what):
            one = "1 occluder is" if len(names) == 1 else f"{len(names):,} occluders are"
            findings.append(Drift("asset", f"{one} {how}; the first is {names[0]}", True))
    return findings


def _landmark_findings(lock: Lock, detector: str, given: bool) -> list[Drift]:
    asked = lock.facts["landmarks"]
    if detector != asked:
        message = f"the detector is {detector}, the version had {asked}: install that, or give --landmarks"
        return [Drift("landmarks", message, True)]
    models, here = lock.facts.get("landmark_models"), networks_by_version(detector)
    if not given and models is not None and here is not None and models != here:
        names = sorted(name for name in models.keys() | here.keys() if models.get(name) != here.get(name))
        return [Drift("landmarks", f"the detector's network {names[0]} is not the version's", False)]
    return []


def _library_findings(lock: Lock) -> list[Drift]:
    before, after = lock.facts["environment"], environment()
    return [
        Drift("library", f"{name} is {after[name]}, the version was made with {before[name]}", False)
        for name in other_libraries(before, after)
    ]
