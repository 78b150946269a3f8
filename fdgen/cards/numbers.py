"""The numbers of a card, all counted from a dataset.

`numbers.json` holds them. What a lock shows as well can be counted again without the dataset: `of_facts`, `of_samples`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdgen.assets import AssetLibrary
from fdgen.cards.skin_tones import COLUMNS, TONES, CleanPicture, skin_tones
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SPLITS
from fdgen.contract.truth import layers_of
from fdgen.errors import RecipeError
from fdgen.io.storage import local_folder
from fdgen.packs.library import open_library
from fdgen.recipe.combinations import label
from fdgen.recipe.schema import Recipe
from fdgen.recipe.target_shares import target_shares_of
from fdgen.versions.lock import command_of

if TYPE_CHECKING:
    import pandas as pd

COVERAGE_STEP = 0.05
ANGLE_STEP_DEG = 10

Numbers = dict[str, Any]


def gather(
    manifest: Manifest, packs: Sequence[str | Path] = (), on_face: Callable[[int, int], None] | None = None
) -> Numbers:
    """Count all that a card reports of a dataset in a folder; raise `DatasetError` where its files are damaged.

    `packs` are the occluders of its maker's, whose licences are reported. `on_face` is called as (done, of) while one
    clean picture of each photograph is looked at for its skin.
    """
    library = open_library(packs)
    return {
        **of_facts(manifest.dataset, manifest.dataset["recipe"]),
        "command": command_of(manifest.dataset),
        **of_samples(manifest.table),
        "occluders": _occluders(manifest, library),
        **_of_records(manifest.table),
        "skin_tone": _skin_tone(manifest, on_face),
        "asked": _asked(manifest),
    }


def of_facts(facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> Numbers:
    """Return what is in a dataset.json, and in the lock.json made from it next to the recipe."""
    return {
        **{name: facts[name] for name in ("name", "version", "spec_id", "content_id", "generator", "made", "count")},
        "photographs": {name: facts["sources"][name] for name in ("kind", "count", "digest")},
        "recipe": recipe["name"],
        "seed": recipe["seed"],
        **({"layers": list(layers)} if (layers := layers_of(recipe)) else {}),
        "size_px": recipe["size_px"],
        "split_by": facts["splits"]["basis"],
        "rejects": dict(facts["rejects"]),
        "shards": sum(1 for shard in facts["shards"] if shard["samples"]),
        "bytes": sum(shard["bytes"] for shard in facts["shards"]),
        "landmarks": facts["landmarks"],
        "notes": list(facts["notes"]),
        "warnings": list(facts["warnings"]),
        "environment": dict(facts["environment"]),
    }


def of_samples(table: pd.DataFrame) -> Numbers:
    """Count the samples of a manifest, or of a lock's table."""
    kinds = table["kinds"].map(lambda text: label(json.loads(text)))
    counted = Counter(kinds)
    photographs = table["source_sha256"].nunique()
    return {
        "splits": {
            split: {"samples": len(rows), "photographs": int(rows["source_sha256"].nunique())}
            for split in SPLITS
            for rows in (table[table["split"] == split],)
        },
        "photographs_used": int(photographs),
        "kinds": {
            str(kind): {split: int((table["split"][kinds == kind] == split).sum()) for split in SPLITS}
            for kind in sorted(counted, key=lambda kind: (-counted[kind], kind))
        },
        "assets": dict(sorted(Counter(one for text in table["asset_ids"] for one in json.loads(text)).items())),
        "coverage": _histogram(table["coverage"], COVERAGE_STEP),
        "coverage_face": _histogram(table["coverage_face"], 2 * COVERAGE_STEP),
        "coverage_of_kind": {str(kind): _spread(rows) for kind, rows in table["coverage"].groupby(kinds)},
        "yaw_deg": _histogram(table["yaw_deg"], ANGLE_STEP_DEG),
        "pitch_deg": _histogram(table["pitch_deg"], ANGLE_STEP_DEG),
        "roll_deg": _histogram(table["roll_deg"], ANGLE_STEP_DEG),
    }


def _of_records(table: pd.DataFrame) -> Numbers:
    """Count what the manifest has and the lock has not."""
    worn = (
        Counter(kind for text in table["worn"].dropna() for kind in json.loads(text) or ("nothing",))
        if "worn" in table
        else Counter[str]()
    )
    return {
        "identities": int(table["identity"].nunique()),
        "held_out": int(table["held_out"].sum()),
        "worn": dict(sorted(worn.items())),
        "hair": _counts(table["hair"].dropna()) if "hair" in table else {},
        "regions": {name: int((table[f"coverage_{name}"] >= 0.5).sum()) for name in ("eyes", "nose", "mouth")},
    }


def _occluders(manifest: Manifest, library: AssetLibrary) -> dict[str, Any]:
    """Return the licence of each occluder that is worn, and where it comes from; None where its pack was not named."""
    worn = {one for text in manifest.table["asset_ids"] for one in json.loads(text)}
    digests = manifest.dataset["assets"]
    found: dict[str, Any] = {}
    for one in sorted(worn):
        asset = library.assets.get(one)
        same = asset is not None and asset.sha256 == digests.get(one)
        found[one] = (
            {"kind": asset.kind, "title": asset.title, "licence": asset.licence, "origin": asset.origin}
            if asset is not None and same
            else {"kind": one.partition("-")[0], "title": one, "licence": None, "origin": None}
        )
    return found


def _skin_tone(manifest: Manifest, on_face: Callable[[int, int], None] | None) -> dict[str, int]:
    """Count photographs by the tone of the skin that they show, `not seen` where they show hardly any."""
    first = manifest.table.drop_duplicates("source_sha256")
    pictures = [CleanPicture(*row) for row in first[list(COLUMNS)].to_numpy().tolist()]
    counts = dict.fromkeys(TONES, 0)
    for number, (_, name) in enumerate(skin_tones(local_folder(manifest.root), pictures), 1):
        if on_face is not None:
            on_face(number, len(pictures))
        counts[name] = counts.get(name, 0) + 1
    return counts


def _asked(manifest: Manifest) -> list[dict[str, Any]]:
    """Return what the recipe asked of the samples, next to what they are; nothing where it is of another version."""
    try:
        recipe = Recipe.from_dict(manifest.dataset["recipe"])
    except RecipeError:
        return []
    return [
        {
            "what": one.asked.what,
            "of": one.asked.of,
            "stratum": one.asked.stratum,
            "asked": round(one.asked.share, 6),
            "samples": one.got,
            "among": one.samples,
        }
        for one in target_shares_of(recipe, manifest.table)
    ]


def _histogram(column: pd.Series[float], step: float) -> dict[str, int]:
    """Count by bins of one width, from the first to the last that is not empty; a bin's name is where it begins."""
    places = [math.floor(value / step + 1e-9) for value in column]
    counts = Counter(places)
    digits = 2 if step < 1 else 0
    return {
        f"{place * step:.{digits}f}".replace("-0.00", "0.00"): counts[place]
        for place in (range(min(places), max(places) + 1) if places else ())
    }


def _spread(column: pd.Series[float]) -> dict[str, float]:
    low, middle, high = (round(float(column.quantile(q)), 4) for q in (0.05, 0.5, 0.95))
    return {"p05": low, "median": middle, "p95": high}


def _counts(column: pd.Series[Any]) -> dict[str, int]:
    return {str(value): int(number) for value, number in sorted(column.value_counts().items())}
