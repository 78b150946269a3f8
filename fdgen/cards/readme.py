"""README.md of a card: Hugging Face's front matter, then a datasheet. A function of the numbers and the words alone.

Plots are bars of block characters in the tables: they show in every Markdown viewer, in a terminal and in a diff.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fdgen.analysis.skin_tone import BINS
from fdgen.cards.croissant import LAYER_TEXTS, citation
from fdgen.cards.prose import Plan, Prose
from fdgen.contract.licences import terms_of
from fdgen.contract.records import SPLITS
from fdgen.contract.truth import TRUTH
from fdgen.exporters.columns import HF_SPLITS
from fdgen.io.markdown import bar, bullets, licence_lines, section, table, yaml_text

Numbers = Mapping[str, Any]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_ORDER = {name: place for place, (name, _) in enumerate(BINS)}


def card_text(numbers: Numbers, prose: Prose) -> str:
    """Return README.md of a dataset's card."""
    name = f"{numbers['name']} {numbers['version']}"
    parts = [
        _front_matter(prose, numbers["made"], [split for split in SPLITS if numbers["splits"][split]["samples"]]),
        f"# {prose.title}",
        f"`{name}`. {prose.summary}",
        _glance(numbers),
        section("Reading it", _reading(numbers)),
        section("Motivation", prose.motivation),
        section("Composition", prose.composition, *_composition(numbers)),
        section("Collection", prose.collection, _photographs(numbers)),
        section("Preprocessing", prose.preprocessing),
        section("Rejects", _rejects(numbers)),
        section("Licence", prose.licence, *_licences(numbers)),
        section("People", prose.people),
        section("Uses", prose.uses, prose.out_of_scope and f"**Not for this:** {prose.out_of_scope}"),
        section("Biases", prose.biases),
        section("Known limits", prose.limits, bullets([*numbers["warnings"], *numbers["notes"]])),
        section("Building it again", *_rebuilding(numbers)),
        section("Maintenance", prose.maintenance, _contact(prose)),
        section("Citation", citation(numbers, prose)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def planned_text(plan: Plan, recipe: Mapping[str, Any], prose: Prose) -> str:
    """Return README.md of a card whose dataset nobody has built yet: it has words and a recipe, and no number."""
    faces = "" if plan.faces == "samples" else " --faces FOLDER"
    command = (
        f"fdgen build --recipe recipe.toml{faces} --count {plan.count} --name {plan.name} --version {plan.version} "
        f"--out DATASET\nfdgen card DATASET --out ."
    )
    weights = {kind: weight for kind, weight in recipe["kinds"].items() if weight}
    total = math.fsum(weights.values())
    shares = [(kind, f"{weight / total:.1%}", bar(weight / total)) for kind, weight in weights.items()]
    parts = [
        _front_matter(prose, plan.count, []),
        f"# {prose.title}",
        f"`{plan.name} {plan.version}`. {prose.summary}",
        "**Not yet filled.** This is the recipe of a dataset and what there is to say of it; nobody has built it, so "
        "there is no lock, no digest and no count. Whoever has the photographs fills it, in the folder of this card:",
        f"```text\n{command}\n```",
        f"What is asked: {plan.count:,} samples of {recipe['size_px']} px, seed {recipe['seed']}, the mask over "
        f"{recipe['coverage']['min']:.0%} to {recipe['coverage']['max']:.0%} of the picture, heads turned by "
        f"{recipe['pose']['max_yaw_deg']:g}° at most.",
        table(("kind of occluder", "asked", ""), shares),
        section("Motivation", prose.motivation),
        section("Composition", prose.composition),
        section("Collection", prose.collection),
        section("Preprocessing", prose.preprocessing),
        section("Licence", prose.licence),
        section("People", prose.people),
        section("Uses", prose.uses, prose.out_of_scope and f"**Not for this:** {prose.out_of_scope}"),
        section("Biases", prose.biases),
        section("Known limits", prose.limits),
        section("Maintenance", prose.maintenance, _contact(prose)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(prose: Prose, samples: int, splits: Sequence[str]) -> str:
    size = next((name for most, name in _SIZES if samples < most), "n>1M")
    lines = [
        "---",
        f"pretty_name: {yaml_text(prose.title)}",
        *licence_lines(prose.licence_tag, prose.licence_name, prose.licence_url),
    ]
    lines += ["task_categories:", "- image-to-image", "- image-segmentation"]
    lines += ["tags:", *(f"- {tag}" for tag in ("face", "occlusion", "inpainting", "synthetic", "webdataset"))]
    lines += ["size_categories:", f"- {size}"]
    if splits:
        lines += ["configs:", "- config_name: default", "  data_files:"]
        for split in splits:
            lines += [f"  - split: {HF_SPLITS[split]}", f"    path: shards/{split}-*.tar"]
    return "\n".join([*lines, "---"])


def _glance(numbers: Numbers) -> str:
    used, given = numbers["photographs_used"], numbers["photographs"]["count"]
    people = f", of {numbers['identities']:,} people" if numbers["identities"] else ""
    splits = [f"{split} {numbers['splits'][split]['samples']:,}" for split in SPLITS]
    rows = [
        ("samples", f"{numbers['made']:,} of {numbers['size_px']} × {numbers['size_px']} px"),
        ("splits", ", ".join(splits)),
        ("photographs", f"{used:,} used of {given:,} given{people}"),
        ("kinds of occluder", f"{len(numbers['kinds'])}, of {len(numbers['assets'])} shapes"),
        ("size", f"{numbers['bytes'] / 1e6:,.1f} MB in {_counted(numbers['shards'], 'shard')}"),
        ("recipe", f"`{numbers['recipe']}`, seed {numbers['seed']}"),
        ("made by", f"fdgen {numbers['environment'].get('fd-stackgan')}, generator {numbers['generator']}"),
        ("`content_id`", f"`{numbers['content_id']}`"),
    ]
    return table((numbers["name"], numbers["version"]), rows)


def _reading(numbers: Numbers) -> str:
    split = next(split for split in SPLITS if numbers["splits"][split]["samples"])
    return (
        "Shards are tar files of PNG and JSON, a sample being `KEY.clean.png`, `KEY.occluded.png`, `KEY.mask.png`, "
        "`KEY.alpha.png` and `KEY.json`; `manifest.parquet` has a row a sample."
        f"{_layers(numbers)}\n\n```python\n"
        "from datasets import load_dataset\n\n"
        f'rows = load_dataset("webdataset", data_files={{"{split}": "shards/{split}-*.tar"}}, split="{split}")\n'
        'rows[0]["occluded.png"], rows[0]["clean.png"], rows[0]["mask.png"], rows[0]["json"]["kinds"]\n```'
    )


def _layers(numbers: Numbers) -> str:
    """Return what is said of truth layers: nothing where a dataset has none."""
    told = [f"`KEY.{TRUTH[name]}` ({LAYER_TEXTS[name]})" for name in numbers.get("layers", ())]
    return f" A sample also has {'; '.join(told)}." if told else ""


def _composition(numbers: Numbers) -> list[str]:
    made, kinds = numbers["made"], numbers["kinds"]
    totals = {kind: sum(of_split.values()) for kind, of_split in kinds.items()}
    by_kind = []
    for kind, total in sorted(totals.items(), key=lambda item: (-item[1], item[0])):
        spread = numbers["coverage_of_kind"][kind]
        covers = f"{spread['median']:.0%} ({spread['p05']:.0%} to {spread['p95']:.0%})"
        by_kind.append((kind, *(kinds[kind][split] for split in SPLITS), total, covers, bar(total / made)))
    splits = [
        (split, of["samples"], f"{of['samples'] / made:.1%}", of["photographs"], bar(of["samples"] / made))
        for split, of in numbers["splits"].items()
    ]
    regions = [(name, count, f"{count / made:.1%}", bar(count / made)) for name, count in numbers["regions"].items()]
    worn = [(name, count, f"{count / made:.1%}") for name, count in numbers["worn"].items()]
    return [
        table(("split", "samples", "share", "photographs", ""), splits),
        f"Splits follow {_basis(numbers['split_by'])}. {_held_out(numbers['held_out'])}",
        "### Kinds of occluder",
        table(("kind", *SPLITS, "samples", "covers: median (5th to 95th percentile)", ""), by_kind),
        "### Coverage",
        "Share of the picture under the mask, which takes in the shadow:",
        _histogram(numbers["coverage"], 0.05, _percent),
        "Share of the face oval under the occluder's silhouette:",
        _histogram(numbers["coverage_face"], 0.1, _percent),
        "Samples in which at least half of a region is covered:",
        table(("region", "samples", "share", ""), regions),
        "### Pose",
        "Yaw: the head is turned to the viewer's right where it is positive.",
        _histogram(numbers["yaw_deg"], 10, _degrees),
        "Pitch: it looks up where it is positive.",
        _histogram(numbers["pitch_deg"], 10, _degrees),
        "### Skin tone",
        "Photographs by the individual typology angle (ITA) of the skin that they show: arctan((L* − 50) / b*) of the "
        "median colour of the face without eyes, brows, lips and nostrils, in the classes of Chardon et al. (1991). It "
        "depends on exposure and on the colour of the light, and is no statement about a person.",
        _tones(numbers["skin_tone"]),
        *(
            [
                "### Worn already",
                "Samples whose clean picture already shows something worn:",
                table(("", "samples", "share"), worn),
            ]
            if worn
            else []
        ),
        *_asked(numbers["asked"]),
    ]


def _tones(counts: Mapping[str, int]) -> str:
    total = sum(counts.values()) or 1
    above = dict(BINS)
    rows = []
    for name, count in sorted(counts.items(), key=lambda item: _ORDER.get(item[0], len(_ORDER))):
        bound = above.get(name)
        told = "" if bound is None else _above(bound)
        rows.append((name, told, count, f"{count / total:.1%}", bar(count / total)))
    return table(("skin", "ITA", "photographs", "share", ""), rows)


def _above(bound_deg: float) -> str:
    text = f"below {BINS[-2][1]:g}°" if bound_deg == -math.inf else f"above {bound_deg:g}°"
    return text.replace("-", "−")


def _asked(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the recipe asked next to what there is, but for kinds asked alike and found in another table."""
    if not rows:
        return []
    told = []
    for row in rows:
        share = row["samples"] / row["among"] if row["among"] else 0.0
        what = row["stratum"] if row["what"] == "kinds" else f"{row['what']} {row['stratum']} of {row['of']}"
        told.append((what, f"{row['asked']:.1%}", f"{share:.1%}", f"{row['samples']:,} of {row['among']:,}"))
    return ["### Asked and made", table(("stratum", "asked", "made", "samples"), told)]


def _photographs(numbers: Numbers) -> str:
    given, used = numbers["photographs"]["count"], numbers["photographs_used"]
    return (
        f"{given:,} photographs were given (digest `{numbers['photographs']['digest'][:16]}…`), {used:,} of them used. "
        f"Landmarks were found by {numbers['landmarks']}."
    )


def _rejects(numbers: Numbers) -> str:
    if not numbers["rejects"]:
        return "Every photograph that was asked gave a sample."
    rows = sorted(numbers["rejects"].items(), key=lambda item: (-item[1], item[0]))
    return "`rejects.csv` of the dataset lists each of them.\n\n" + table(("reason", "times"), rows)


def _licences(numbers: Numbers) -> list[str]:
    shareable = terms_of(numbers["photographs"]["kind"]).shareable
    told = "" if shareable else "This card holds digests and counts alone, and no picture."
    groups: dict[tuple[str, str], list[str]] = {}
    for one, facts in numbers["occluders"].items():
        licence = facts["licence"] or "not known: its pack was not at hand"
        groups.setdefault((facts["kind"], licence), []).append(one)
    worn = numbers["assets"]
    rows = [
        (kind, len(ids), licence, sum(worn.get(one, 0) for one in ids))
        for (kind, licence), ids in sorted(groups.items())
    ]
    others = [
        f"`{one}`: {facts['title']}; {facts['licence']}; {facts['origin']}"
        for one, facts in numbers["occluders"].items()
        if facts["licence"] and facts["licence"] != "MIT"
    ]
    return [
        told,
        "Occluders:",
        table(("kind", "shapes", "licence", "worn by samples"), rows),
        bullets(others),
        "Hands, where there are any, are the mesh of @webxr-input-profiles/assets (MIT, © Amazon); faces are fitted "
        "with MediaPipe's canonical face (Apache-2.0). The generator is under the MIT licence.",
    ]


def _rebuilding(numbers: Numbers) -> list[str]:
    made_with = [(name, version or "none") for name, version in numbers["environment"].items()]
    return [
        f"```text\n{numbers['command']}\n```",
        "The recipe, the digests of photographs, occluders, landmarks, shards and every sample stand in `recipe.toml`, "
        "`lock.json` and `samples.parquet` of the card. `fdgen reproduce` does this and compares; bytes are promised "
        "on one platform and with these versions:",
        table(("", "version"), made_with),
        f"`spec_id` `{numbers['spec_id']}` (what was asked)<br>`content_id` `{numbers['content_id']}` (what was made)",
    ]


def _contact(prose: Prose) -> str:
    told = [", ".join(prose.authors), prose.contact, prose.url]
    return " · ".join(one for one in told if one)


def _held_out(number: int) -> str:
    if not number:
        return "No test sample wears an occluder that is kept from training."
    verb = "wears" if number == 1 else "wear"
    return f"{_counted(number, 'test sample')} {verb} an occluder that is kept from training."


def _basis(split_by: str) -> str:
    return {
        "official": "the official partition of the photographs",
        "identity": "identities: nobody stands in two of them",
        "source": "photographs: identities are not known, and one person may stand in two of them",
    }.get(split_by, split_by)


def _histogram(counts: Mapping[str, int], step: float, name: Any) -> str:
    total, most = sum(counts.values()) or 1, max(counts.values(), default=1)
    rows = [
        (name(float(low), float(low) + step), count, f"{count / total:.1%}", bar(count / most))
        for low, count in counts.items()
    ]
    return table(("", "samples", "share", ""), rows)


def _percent(low: float, high: float) -> str:
    return f"{low * 100:.0f} to {high * 100:.0f}%"


def _degrees(low: float, high: float) -> str:
    return f"{low:g}° to {high:g}°".replace("-", "−")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
