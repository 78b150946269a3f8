"""The card of the starter weights, written from what was trained and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from docs.starter.photographs import Collection, credits_line
from docs.starter.plans import Plan
from fdgen.io.markdown import table
from fdtrain.cards.measures import GREY, Table
from fdtrain.cards.readme import time_text
from fdtrain.cards.words import MISUSE

_HEAD = """# starter and starter-mask: weights that come with the package

```bash
fdtrain restore photo.jpg --weights starter --masker starter-mask --out restored
```
"""

_MISUSE = f"## What they must not be used for\n\n{MISUSE}"


@dataclass(frozen=True)
class Trained:
    """One network as it is shipped: what its file says, its size, how far ONNX is from torch, how long it took."""

    name: str
    facts: dict[str, Any]
    parameters: int
    n_bytes: int
    sha256: str
    onnx_difference: float
    cpu_s: float
    seconds: float


@dataclass(frozen=True)
class Made:
    """All that a card tells: `command` is what made the weights, `dataset` the dataset.json of the pairs."""

    command: str
    plan_name: str
    plan: Plan
    collections: Sequence[Collection]
    table_sha256: str
    dataset: dict[str, Any]
    machine: str
    networks: Sequence[Trained]
    tables: Sequence[Table]


def card(made: Made) -> str:
    """Return the card, as Markdown."""
    parts = [_HEAD, _what(made), _faces(made), _how(made), _results(made), _limits(made), _MISUSE, _licence(made)]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _what(made: Made) -> str:
    rows = [
        (
            one.name,
            "fills the inpainted region" if one.name == "starter" else "finds occluders",
            one.facts["config"]["preset"],
            f"{one.facts['config']['data']['size_px']} px",
            f"{one.parameters / 1e6:.1f} million",
            _pictures(made.plan, one),
            f"{one.n_bytes / 1e6:.1f} MB",
            f"{one.onnx_difference:.1g}",
        )
        for one in made.networks
    ]
    heads = (
        "name",
        "what it does",
        "preset",
        "size",
        "parameters",
        "trained on pictures",
        "file",
        "ONNX against torch",
    )
    return f"## What they are\n\n{table(heads, rows)}\n\nBoth are rounded to 16 bits and hold their settings."


def _pictures(plan: Plan, one: Trained) -> str:
    """Return on how many pictures a network was trained; of several trainings, on how many in each."""
    asked = [
        int(change.partition("=")[2])
        for training in (plan.networks[one.name], *plan.then.get(one.name, ()))
        for change in training
        if change.startswith("training.images=")
    ]
    return " + ".join(f"{images:,}" for images in (*asked[:-1], one.facts["images"]))


def _faces(made: Made) -> str:
    heads = ("photographs", "of whom", "years", "", "licence", "to credit", "gathered by")
    rows = [
        (
            f"{one.n:,}",
            one.facts["people"],
            one.facts["years"],
            f"{'colour' if one.facts['colour'] else 'grey'}, {one.facts['picture']}",
            f"[{one.facts['licence']}]({one.facts['licence_url']})",
            one.facts["attribution"],
            one.facts["gathered_by"],
        )
        for one in made.collections
    ]
    dataset, recipe = made.dataset, made.dataset["recipe"]
    splits = ", ".join(f"{dataset['splits'][split]:,} {split}" for split in ("train", "val", "test"))
    return f"""## What they learned from

{table(heads, rows)}

One photograph a person, and two copies of it whose face `docs/starter/turned.py` turned by up to 25 degrees: studios
show faces from the front. The photographs are not in the project; the sha256, licence and origin of each are in
`docs/starter/photographs.csv` (sha256 {made.table_sha256[:12]}). {dataset["made"]:,} composites of them are
dataset {dataset["content_id"][:12]}, generator version {dataset["generator"]}, recipe `{recipe["name"]}` at
{recipe["size_px"]} px: {splits}; no person is in two of these."""


def _how(made: Made) -> str:
    lines = [f"```bash\n{made.command}\n```", "", f"Pairs: `fdgen build {' '.join(made.plan.pairs)}`.", ""]
    for one in made.networks:
        preset, *changes = made.plan.networks[one.name]
        lines.append(
            f"- `{one.name}`: preset `{preset}`, {', '.join(f'`{change}`' for change in changes)}. "
            f"{time_text(one.seconds)}, {time_text(one.cpu_s)} of CPU. sha256 `{one.sha256[:16]}`."
            f"{_other_pairs(one, made.dataset)}"
        )
        for training in made.plan.then.get(one.name, ()):
            lines[-1] += f" Then from these weights on with {', '.join(f'`{change}`' for change in training)}."
    lines += [
        "",
        f"On {made.machine}. The same command gives the same weights there, bit for bit,",
        "with the same release of torch and the same generator version: another one composes other pairs.",
    ]
    return "## How they were made\n\n" + "\n".join(lines)


def _other_pairs(one: Trained, dataset: dict[str, Any]) -> str:
    """Say it where a network was not trained on the pairs of today, or not at first."""
    first = (one.facts.get("started_from") or {}).get("content_id")
    others = [
        content_id for content_id in (first, one.facts["content_id"]) if content_id not in (None, dataset["content_id"])
    ]
    if not others:
        return ""
    what = "Trained" if one.facts["content_id"] in others else "Trained first"
    return (
        f" {what} on other pairs of the same photographs, dataset {others[0][:12]}: of an earlier generator, without "
        "the turned copies, or of copies that other releases of packages drew, which differ by single levels."
    )


def _results(made: Made) -> str:
    about = (
        "Means with their standard errors. Skin by the individual typology angle of coloured photographs (`fdgen card` "
        f"explains it), which describes the photograph and not the person; a {GREY} has none."
    )
    return "\n\n".join(["## How well", about, *(table.markdown() for table in made.tables)])


def _limits(made: Made) -> str:
    columns = made.tables[0].columns
    counts = {name.removeprefix("skin: "): columns[name]["starter"].n for name in columns if name.startswith("skin: ")}
    shares = ", ".join(f"{name} {count / sum(counts.values()):.0%}" for name, count in counts.items())
    size_px = made.networks[-1].facts["config"]["data"]["size_px"]
    return f"""## Limits

- **Who is missing.** Official portraits show adults alone, no children; faces towards the camera, lit, smiling, before
  a plain backdrop. Of the coloured photographs measured, by tone of skin: {shares or "none could be told"}.
  On everybody who looks otherwise expect worse; the tables above say how much, as far as it was measured.
- Grey photographs taught form alone; colour was learnt from the coloured ones.
- Faces are filled in at {size_px} px and enlarged: in a large photograph the filling is soft.
- One run, one seed: another would differ by an amount that was not measured."""


def _licence(made: Made) -> str:
    return f"""## Licence

MIT, as the package. To credit: {credits_line(made.collections)}.
The files of the weights repeat it (the key `credits` of their metadata)."""
