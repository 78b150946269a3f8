"""`fdgen info`: what a dataset contains."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..shared.fdgen_options import DatasetType, json_option
from ..shared.fetched import fetched_dataset
from ..shared.output import Voice, aligned, counted, emit, emit_json

BIN = 0.05
"""Width of a bar of the histogram of coverage."""

BAR_CHARACTERS = 40

EXAMPLES = 3

COLUMNS = (
    *("key", "split", "source_sha256", "identity", "kinds", "asset_ids", "held_out", "worn", "hair"),
    *("coverage", "coverage_eyes", "coverage_nose", "coverage_mouth", "yaw_deg", "pitch_deg", "roll_deg"),
)
"""What is read of the manifest."""


@click.command("info")
@click.argument("dataset", type=DatasetType())
@json_option
def command(dataset: str | Path, as_json: bool) -> None:
    """Report what DATASET, a folder or a URL, contains and where it comes from."""
    from fdgen.contract.manifest import read_finished
    from fdgen.contract.manifest_columns import read_columns
    from fdgen.io.storage import open_place

    root = open_place(fetched_dataset(dataset, Voice(quiet=False)))
    dataset_json = read_finished(root)
    facts = gather(str(root), dataset_json, read_columns(root, dataset_json, COLUMNS))
    if as_json:
        emit_json(facts)
    else:
        for line in report(facts):
            emit(line)
    for text in facts["warnings"]:
        Voice().say(f"warning: {text}")


def gather(where: str, dataset: Mapping[str, Any], table: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return what is reported of a dataset, as JSON holds it; `table` has the columns of its manifest."""
    from fdgen.contract.records import is_imported
    from fdgen.dataset.split_size_warnings import remarks

    notes, warnings = remarks(dataset)
    assets = Counter(asset for text in table["asset_ids"] for asset in json.loads(text))
    bins = Counter(int(value / BIN) for value in table["coverage"])
    return {
        "dataset": where,
        "name": dataset.get("name"),
        "version": dataset.get("version"),
        "spec_id": dataset["spec_id"],
        "content_id": dataset["content_id"],
        "samples": len(table["key"]),
        "asked": dataset.get("count"),
        "faces_used": len(set(table["source_sha256"])),
        "faces_given": dataset["sources"]["count"],
        "identities": len(set(table["identity"]) - {None}),
        "size_px": dataset["recipe"]["size_px"],
        "bytes": sum(shard["bytes"] for shard in dataset["shards"]),
        "shards": len(dataset["shards"]),
        "splits": counts(table["split"]),
        "kinds": counts("+".join(json.loads(text)) for text in table["kinds"]),
        "assets": dict(assets.most_common()),
        "held_out": sum(table["held_out"]),
        "rejects": dict(dataset["rejects"]),
        "worn": worn(table.get("worn", [])),
        "hair": counts(state for state in table.get("hair", []) if state is not None),
        "coverage": quantiles_of(table["coverage"]),
        "coverage_histogram": {f"{low * BIN:.2f}": bins[low] for low in range(min(bins), max(bins) + 1)},
        "yaw_deg": quantiles_of(table["yaw_deg"]),
        "pitch_deg": quantiles_of(table["pitch_deg"]),
        "roll_deg": quantiles_of(table["roll_deg"]),
        "imported": is_imported(dataset),
        "recipe": dataset["recipe"],
        "generator": dataset["generator"],
        "landmarks": dataset["landmarks"],
        "environment": dataset.get("environment", {}),
        "asked_and_got": None if is_imported(dataset) else asked_and_got(dataset, table),
        "notes": notes,
        "warnings": warnings,
        "example_keys": table["key"][:EXAMPLES],
    }


def asked_and_got(dataset: Mapping[str, Any], table: Mapping[str, list[Any]]) -> list[dict[str, Any]] | None:
    """Return what the recipe asked of the samples, next to what they are; None where it is of another version."""
    from fdgen.errors import RecipeError
    from fdgen.recipe.schema import Recipe
    from fdgen.recipe.target_shares import target_shares_of

    try:
        recipe = Recipe.from_dict(dataset["recipe"])
    except RecipeError:
        return None
    return [
        {
            "what": one.asked.what,
            "of": one.asked.of,
            "stratum": one.asked.stratum,
            "asked": round(one.asked.share, 6),
            "got": round(one.share, 6),
            "n": one.got,
            "samples": one.samples,
            "z": None if one.z is None else round(one.z, 3),
        }
        for one in target_shares_of(recipe, table)
    ]


def worn(column: Iterable[str | None]) -> dict[str, int] | None:
    """Return how many samples were made from a picture in which each kind is worn already, `nothing` among them.

    None where the dataset was made before that was looked for.
    """
    lists = [json.loads(text) for text in column if text is not None]
    return counts(kind for kinds in lists for kind in kinds or ("nothing",)) if lists else None


def counts(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs, the most frequent first."""
    return dict(Counter(values).most_common())


def quantiles_of(values: Sequence[float]) -> dict[str, float]:
    """Return smallest, median and largest value."""
    found = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return {name: round(value, 6) + 0.0 for name, value in found.items()}


def report(facts: dict[str, Any]) -> list[str]:
    """Return the lines for a person."""
    people = f", {facts['identities']:,} identities" if facts["identities"] else ""
    rows: list[tuple[str, Any]] = [
        ("samples", f"{facts['samples']:,} of {facts['size_px']} px"),
        ("shards", f"{facts['shards']:,}; {facts['bytes'] / 1e6:,.1f} MB"),
        ("faces", f"{facts['faces_used']:,} used of {facts['faces_given']:,} given{people}"),
        ("splits", listed(facts["splits"], facts["samples"])),
        ("kinds", listed(facts["kinds"], facts["samples"])),
        ("held out", f"{counted(facts['held_out'], 'sample')} with occluders that are in no training sample"),
        ("assets", f"{len(facts['assets'])} used"),
        ("rejects", listed(facts["rejects"]) or "none"),
        (
            "worn",
            "not detected" if facts["worn"] is None else f"already in the clean picture: {listed(facts['worn'])}",
        ),
        ("hair", f"over occluders where it was measured: {listed(facts['hair']) or 'not looked for'}"),
    ]
    if facts["imported"]:
        rows.append(("made by", "another program; the pairs were imported, pose and landmarks are not known"))
    else:
        rows += [
            ("recipe", f"{facts['recipe']['name']}, seed {facts['recipe']['seed']}"),
            ("made by", f"generator {facts['generator']}, {facts['landmarks']}"),
        ]
    rows += [("spec_id", facts["spec_id"]), ("content_id", facts["content_id"])]
    for name in () if facts["imported"] else ("yaw_deg", "pitch_deg", "roll_deg"):
        values = facts[name]
        low, middle, high = (round(values[which]) for which in ("min", "median", "max"))
        rows.append((name[:-4], f"{low} to {high} degrees, median {middle}"))
    lines = aligned(rows)
    most = max(facts["coverage_histogram"].values())
    lines.append(f"coverage  share of the picture under the mask, median {facts['coverage']['median']:.3f}")
    for low, number in facts["coverage_histogram"].items():
        bar = "#" * round(BAR_CHARACTERS * number / most)
        lines.append(f"  {low}-{float(low) + BIN:.2f}  {number:>7,}  {bar}".rstrip())
    lines += [] if facts["imported"] else asked_lines(facts["asked_and_got"])
    lines += [f"note      {text}" for text in facts["notes"]]
    lines.append(f"keys      {', '.join(facts['example_keys'])}, ...")
    return lines


def asked_lines(rows: list[dict[str, Any]] | None) -> list[str]:
    """Return a line a stratum: asked, got, and by how many standard errors they differ."""
    if rows is None:
        return ["asked     not known: the recipe is one of another version"]
    lines = [
        (
            row["what"],
            row["of"],
            row["stratum"],
            f"asked {row['asked']:.1%}",
            f"got {row['got']:.1%}",
            f"{row['n']:,} of {row['samples']:,}",
            "" if row["z"] is None else f"z {row['z']:+.1f}",
        )
        for row in rows
    ]
    return ["asked     and got; z is the difference in standard errors of the sampling", *aligned(lines, indent=2)]


def listed(numbers: dict[str, int], total: int = 0) -> str:
    """Return `train 90 (90.0 %), test 10 (10.0 %)`."""
    share = {name: f" ({number / total:.1%})" if total else "" for name, number in numbers.items()}
    return ", ".join(f"{name} {number:,}{share[name]}" for name, number in numbers.items())
