"""README.md of a model card: the Hub's front matter, then sections. A function of the facts and the words alone."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fdgen.contract.licences import terms_of
from fdgen.io.markdown import bar, bullets, licence_lines, section, table, yaml_text
from fdtrain.cards.facts import setting_text
from fdtrain.cards.measures import Table
from fdtrain.cards.words import MISUSE, Words

Facts = Mapping[str, Any]

_PIPELINE = {"restore": "image-to-image", "mask": "image-segmentation"}
_TAGS = ("face", "occlusion", "inpainting", "fd-stackgan")


def card_text(facts: Facts, words: Words) -> str:
    """Return README.md."""
    model, data = facts["model"], facts["data"]
    parts = [
        _front_matter(model, words),
        f"# {words.title}",
        words.summary,
        f"**A toy** that {model['toy']}." if model["toy"] else "",
        _glance(model),
        section("Using it", _using(model)),
        section("What it learned from", _learned_from(model, data)),
        section("How it was trained", *_training(model)),
        section("How well", *_measured(facts["tables"])),
        section("Uses", words.uses),
        section("What it must not be used for", MISUSE, words.out_of_scope if words.out_of_scope != MISUSE else ""),
        section("Whom it has seen", words.biases),
        section("Limits", words.limits, _size_limit(model)),
        section("Licence", words.licence, _follows(data), _credits(model)),
        section("Making it again", _again(model, data)),
        section("Contact", " · ".join(part for part in (", ".join(words.authors), words.contact) if part)),
        section("Citation", words.citation),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def time_text(seconds: float) -> str:
    """Return a length of time in words.

    >>> time_text(90), time_text(600), time_text(9000)
    ('90 seconds', '10 minutes', '2.5 hours')
    """
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _front_matter(model: Facts, words: Words) -> str:
    lines = ["---", *licence_lines(words.licence_tag, words.licence_name, words.licence_url)]
    lines += ["library_name: fd-stackgan", f"pipeline_tag: {_PIPELINE[model['task']]}"]
    lines += ["tags:", *(f"- {tag}" for tag in _TAGS), f"model_name: {yaml_text(words.title)}", "---"]
    return "\n".join(lines)


def _glance(model: Facts) -> str:
    weights = model["weights"]
    rows = [
        ("what it does", "fills the inpainted region" if model["task"] == "restore" else "finds occluders"),
        ("preset", model["preset"] or "not recorded"),
        ("pictures", f"{model['size_px']} × {model['size_px']} px"),
        ("parameters", f"{model['parameters']:,}" if "parameters" in model else "not recorded"),
        ("shown in training", f"{model['images']:,} pictures" if "images" in model else "not recorded"),
        ("file", f"{weights['file']}, {weights['bytes'] / 1e6:.1f} MB, sha256 `{weights['sha256']}`"),
        ("versions", ", ".join(f"{name} {model[name]}" for name in ("fdtrain", "torch") if name in model) or "-"),
    ]
    return table(("", model["name"]), rows)


def _using(model: Facts) -> str:
    file = model["weights"]["file"]
    given = f"--weights {file}" if model["task"] == "restore" else f"--weights starter --masker {file}"
    masked = " --mask mask.png" if model["task"] == "restore" else ""
    return f"```text\nfdtrain restore photo.jpg {given}{masked} --out restored\n```"


def _learned_from(model: Facts, data: Facts | None) -> str:
    if data is None:
        told = model.get("dataset", "not recorded")
        return (
            f"Dataset `{told}`, content_id `{model.get('content_id') or 'not recorded'}`. Its recipe is not recorded."
        )
    splits = ", ".join(f"{split} {count:,}" for split, count in data["splits"].items())
    rows = [
        ("recipe", data["recipe"]),
        ("generator version", str(data["generator"])),
        ("pictures", f"{data['size_px']} px; {splits}"),
        ("kinds of occluder", ", ".join(f"{kind} {_count(number)}" for kind, number in data["kinds"].items())),
        ("photographs", str(data["photographs"])),
        ("spec_id", f"`{data['spec_id']}`"),
        ("content_id", f"`{data['content_id']}`"),
    ]
    return table((data["name"], data["version"]), rows)


def _training(model: Facts) -> list[str]:
    if model["settings"] is None:
        return ["An exported network; the settings of its training are in the weights that it was made from."]
    changed = [(f"`{key}`", f"`{setting_text(value)}`") for key, value in model["settings"].items()]
    begun = model.get("started_from")
    parts = [
        f"Preset `{model['preset']}`" + (", with these settings changed:" if changed else ", nothing changed."),
        table(("setting", "value"), changed) if changed else "",
        f"It began with other weights: `{json.dumps(begun, sort_keys=True)}`." if begun else "",
    ]
    if curve := model["curve"]:
        values = [value for _, value in curve]
        low, high = min(values), max(values)
        span = (high - low) or 1.0
        rows = [(f"{images:,}", f"{value:.4g}", bar((value - low) / span)) for images, value in curve]
        parts += ["Validations:", table(("after pictures", "found", ""), rows)]
    return parts


def _measured(tables: Sequence[Facts]) -> list[str]:
    if not tables:
        return ["It was not measured."]
    about = (
        "Means with their 95 % intervals over pictures: they speak of these weights on other pictures, not of another "
        "training. Skin, where it was looked at, by the individual typology angle, which describes the photograph and "
        "not the person."
    )
    return [about, *(Table.of_json(one).markdown(intervals=True) for one in tables)]


def _size_limit(model: Facts) -> str:
    size_px = model["size_px"]
    return bullets([f"faces are worked on at {size_px} px and enlarged: in a large photograph the result is soft"])


def _follows(data: Facts | None) -> str:
    kind = None if data is None else data["photographs"]
    terms = terms_of(kind or "")
    whose = f"photographs of the kind `{kind}`" if kind else "photographs of which nothing is recorded"
    allowed = "may be passed on" if terms.shareable else "may not be passed on, unless their terms say otherwise"
    return f"It learned from {whose}: pictures made from them {allowed}."


def _credits(model: Facts) -> str:
    return f"To credit: {model['credits']}." if "credits" in model else ""


def _again(model: Facts, data: Facts | None) -> str:
    drawn = data is not None and data.get("on_the_fly", False)
    built = data is not None and not drawn
    lines = ["fdgen reproduce CARD_OF_THE_DATASET --faces FOLDER --out DATASET"] if built else []
    given = "--faces FOLDER --recipe FILE" if drawn else "--data DATASET"
    words = [f"fdtrain fit {given} --out RUN", f"--preset {model['preset']}"]
    words += [
        f"--set {shlex.quote(f'{key}={setting_text(value)}')}" for key, value in (model["settings"] or {}).items()
    ]
    lines.append(" ".join(words))
    note = "The same release of torch on the same kind of processor gives the same weights, bit for bit."
    return f"```text\n{chr(10).join(lines)}\n```\n\n{note}" if model["settings"] is not None else note


def _count(number: float) -> str:
    """Return how many samples, or which share of them."""
    return f"{number:.1%}" if isinstance(number, float) else f"{number:,}"
