"""What a dataset was asked to be, in one digest; and in words, how two differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from fdgen.contract.digests import canonical_json, digest_json
from fdgen.contract.records import SCHEMA
from fdgen.faces.sources import Source
from fdgen.io.pictures.codecs import codec_version
from fdgen.version import GENERATOR_VERSION

if TYPE_CHECKING:
    from fdgen.recipe.schema import Recipe  # at run time it costs whoever only compares two specs a fifth of a second

SPEC_FIELDS = ("schema", "recipe", "count", "sources", "assets", "landmarks", "generator")
"""What of dataset.json is hashed into `spec_id`, with `codec` where that is there."""

_WORDS = ("name", "description")  # of a recipe: they change no pixel
_EXAMPLES = 3


def make_spec(
    recipe: Recipe, count: int | None, sources: Sequence[Source], assets: Mapping[str, str], detector: str
) -> dict[str, Any]:
    """Return the fields of dataset.json that say what is asked for.

    Args:
        recipe: The recipe; the spec names only the assets of the kinds that it names.
        count: Number of samples asked for; None is one of each usable face.
        sources: The photographs, of which the spec holds number and digest.
        assets: The sha256 of each asset by its id.
        detector: Version of what finds landmarks.
    """
    codec = codec_version(recipe.codec)
    return {
        "schema": SCHEMA,
        "recipe": recipe.as_dict(),
        "count": count,
        "sources": {"count": len(sources), "digest": sources_digest(sources)},
        "assets": dict(sorted(recipe.assets_asked(assets).items())),
        "landmarks": detector,
        "generator": GENERATOR_VERSION,
        **({} if codec is None else {"codec": codec}),
    }


def spec_id(spec: Mapping[str, Any]) -> str:
    """Return the digest of a spec, or of the dataset.json that holds it; a recipe's name and description do not count.

    Raises `KeyError` or `TypeError` where it is none.
    """
    recipe = {key: value for key, value in spec["recipe"].items() if key not in _WORDS}
    values = {name: spec[name] for name in (*SPEC_FIELDS, *(("codec",) if "codec" in spec else ()))}
    sources = {name: spec["sources"][name] for name in ("count", "digest")}
    return digest_json({**values, "recipe": recipe, "sources": sources})


def sources_digest(sources: Iterable[Source]) -> str:
    """Return the digest of photographs in any order: what they hold, what they are called, who is in them.

    It is the sha256 of their sorted rows. Those that come in that order, as listed photographs nearly always do, are
    not held in memory.
    """
    digest, last = hashlib.sha256(), ""
    rows: Iterable[str] = _row_texts(sources)
    if isinstance(sources, Iterator):
        rows = sorted(rows)
    for row in rows:
        if row < last:  # a name with a blank where another ends, for example
            return sources_digest(iter(sources))
        digest.update(row.encode() + b"\n")
        last = row
    return digest.hexdigest()


def _row_texts(sources: Iterable[Source]) -> Iterator[str]:
    """Yield all that is known of each photograph, as canonical JSON: path, sha256, identity, split, attributes.

    It is put together here, for the encoder takes four times as long for so many short lists.
    """
    known: dict[tuple[str, ...] | None, str] = {}
    for source in sources:
        attributes = known.get(source.attributes)
        if attributes is None:
            attributes = known[source.attributes] = canonical_json(source.attributes)
        identity = "null" if source.identity is None else encode_basestring(source.identity)
        split = "null" if source.split is None else encode_basestring(source.split)
        path = encode_basestring(source.path)
        yield f"[{path},{encode_basestring(source.sha256)},{identity},{split},{attributes}]"


def differences(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    old_sources: Sequence[Source] | None,
    new_sources: Sequence[Source],
) -> tuple[str, ...]:
    """Name each field in which two specs differ, a line each. `old_sources` is None where they are no longer known."""
    before, after = flat(old["recipe"], "recipe."), flat(new["recipe"], "recipe.")
    for name in _WORDS:
        before.pop(f"recipe.{name}", None)
        after.pop(f"recipe.{name}", None)
    for name in ("schema", "count", "landmarks", "generator", "codec"):
        before[name], after[name] = old.get(name), new.get(name)
    lines = [
        f"{name}: {_shown(before.get(name))} -> {_shown(after.get(name))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    if old["assets"] != new["assets"]:
        lines.append(f"assets: {_changes(old['assets'], new['assets'])}")
    if old["sources"]["digest"] != new["sources"]["digest"]:
        if old_sources is None:
            lines.append(
                f"sources: {old['sources']['count']} photographs -> {new['sources']['count']}, not the same ones"
            )
        else:
            rows = [
                {source.path: text for source, text in zip(listed, _row_texts(listed), strict=True)}
                for listed in (old_sources, new_sources)
            ]
            lines.append(f"sources: {_changes(*rows)}")
    return tuple(lines)


def flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values of a recipe in one level of dotted keys, each after `prefix`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found


def _shown(value: Any) -> str:
    return "not set" if value is None else canonical_json(value)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Say what was added, removed and changed between two tables of digests, with a few names each."""
    groups = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
    }
    parts = []
    for word, names in groups.items():
        if names:
            more = ", ..." if len(names) > _EXAMPLES else ""
            parts.append(f"{len(names)} {word} ({', '.join(names[:_EXAMPLES])}{more})")
    return ", ".join(parts)
