"""croissant.json: a dataset in MLCommons' Croissant format 1.1, with the fields of its RAI vocabulary.

Record sets: `samples` (a row of the manifest), and `occluded`, `clean`, `mask` and `alpha` (a picture each, with the
key of its sample), and so each truth layer that the samples have. Readers join at most two sources in a set, so that
pictures are not side by side in one record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fdgen.cards.prose import Prose
from fdgen.contract.truth import DEPTH_STEPS, DEPTH_ZERO, TRUTH

VERSION = "http://mlcommons.org/croissant/1.1"
RAI_VERSION = "http://mlcommons.org/croissant/RAI/1.0"

_CONTEXT: Mapping[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "arrayShape": "cr:arrayShape", "citeAs": "cr:citeAs",
    "column": "cr:column", "conformsTo": "dct:conformsTo", "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty", "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes", "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5",
    "name": {"@container": "@language"}, "parentField": "cr:parentField", "path": "cr:path",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated",
    "replace": "cr:replace", "samplingRate": "cr:samplingRate", "sc": "https://schema.org/",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
"""The JSON-LD context that the specification prescribes."""

_PICTURES = {
    "occluded": "The photograph with an occluder.",
    "clean": "The photograph as it was.",
    "mask": "255 wherever occluder or shadow may have changed anything, else 0.",
    "alpha": "How far the occluder covers each pixel, 0 to 255, without its shadow.",
}

LAYER_TEXTS: Mapping[str, str] = {
    "caption": "one line of text: what covers the face",
    "depth": "16 bits: the distance of the uppermost occluder towards the camera from the plane through the middle of "
    f"the head, {DEPTH_ZERO} + {DEPTH_STEPS} a centimetre, 0 where there is none",
    "mattes": "a channel an occluder, in the order of `kinds`: the share that it hides of all behind it",
    "normals": "the normals of the same surface as in the depth, each 128 + 127 n, 0 where there is none",
    "shadow": "the share of light that the occluders take from what lies behind, 255 for all of it",
}
"""What a card says of each truth layer."""

_COLUMNS = {
    "key": ("sc:Text", "Key of the sample: names its members in the shard."),
    "split": ("sc:Text", "train, val or test."),
    "shard": ("sc:Text", "Shard in which it lies."),
    "source_sha256": ("sc:Text", "Digest of the photograph."),
    "kinds": ("sc:Text", "Kinds of occluder worn, the lowest first, as JSON."),
    "asset_ids": ("sc:Text", "Occluders worn, as JSON."),
    "coverage": ("sc:Float", "Share of the picture under the mask."),
    "coverage_face": ("sc:Float", "Share of the face oval that is covered."),
    "coverage_eyes": ("sc:Float", "Share of the eyes that is covered."),
    "coverage_nose": ("sc:Float", "Share of the nose that is covered."),
    "coverage_mouth": ("sc:Float", "Share of the mouth that is covered."),
    "yaw_deg": ("sc:Float", "Head turned to the viewer's right, in degrees."),
    "pitch_deg": ("sc:Float", "Head looking up, in degrees."),
    "roll_deg": ("sc:Float", "Head tilted clockwise as seen, in degrees."),
    "held_out": ("sc:Boolean", "Whether it wears an occluder that no training sample wears."),
}


def croissant_json(
    numbers: Mapping[str, Any], prose: Prose, shards: Sequence[Mapping[str, Any]], manifest_sha256: str
) -> bytes:
    """Return the bytes of croissant.json. `shards` are the rows of dataset.json's table.

    Files are named relative to the dataset's folder, or to `url` of the card where it is published.
    """
    told = {**_PICTURES, **{name: LAYER_TEXTS[name] for name in numbers.get("layers", ())}}
    held = [shard for shard in shards if shard["samples"]]
    base = f"{prose.url.rstrip('/')}/" if prose.url else ""
    values: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": numbers["name"],
        "alternateName": prose.title,
        "description": prose.summary,
        "conformsTo": [VERSION, RAI_VERSION],
        "version": numbers["version"],
        "license": prose.licence_url or prose.licence_name or prose.licence_tag,
        "citeAs": citation(numbers, prose),
        "keywords": ["face", "occlusion", "de-occlusion", "inpainting", "segmentation", "synthetic", *numbers["kinds"]],
        "isLiveDataset": False,
        "identifier": f"sha256:{numbers['content_id']}",
        **_rai(numbers, prose),
        "distribution": [*(_shard(shard, base) for shard in held), *_files(held, base, manifest_sha256, told)],
        "recordSet": [_samples(), *(_contents(name, text) for name, text in told.items())],
    }
    if prose.url:
        values["url"] = prose.url
    if prose.published:
        values["datePublished"] = prose.published
    if prose.authors:
        values["creator"] = [{"@type": "sc:Person", "name": name} for name in prose.authors]
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def manifest_sum(values: Any) -> str:
    """Return the sha256 that a parsed croissant.json gives of the manifest, empty where it gives none."""
    try:
        return next(str(one["sha256"]) for one in values["distribution"] if one["@id"] == "manifest.parquet")
    except (KeyError, TypeError, StopIteration):
        return ""


def citation(numbers: Mapping[str, Any], prose: Prose) -> str:
    """Return how the dataset is cited."""
    return (
        prose.citation or f"{prose.title} ({numbers['name']} {numbers['version']}), content_id {numbers['content_id']}"
    )


def _rai(numbers: Mapping[str, Any], prose: Prose) -> dict[str, Any]:
    rejects = ", ".join(f"{reason} {count}" for reason, count in numbers["rejects"].items()) or "none"
    values = {
        "dataCollection": prose.collection,
        "dataCollectionType": ["Existing photographs", "Synthetic occluders rendered onto them"],
        "dataCollectionMissingData": f"Photographs that gave no sample, by reason: {rejects}.",
        "dataCollectionRawData": f"{numbers['photographs']['count']} photographs, of which "
        f"{numbers['photographs_used']} were used.",
        "dataPreprocessingProtocol": [prose.preprocessing],
        "dataAnnotationProtocol": "None by hand: masks are exact, since the occluder was drawn. Head pose is estimated "
        "from landmarks.",
        "machineAnnotationTools": [f"landmarks: {numbers['landmarks']}"],
        "dataUseCases": [prose.uses],
        "dataBiases": [prose.biases],
        "dataLimitations": [prose.limits],
        "dataSocialImpact": prose.out_of_scope,
        "personalSensitiveInformation": [prose.people],
        "dataReleaseMaintenancePlan": prose.maintenance,
    }
    return {f"rai:{name}": value for name, value in values.items() if value and value != [""]}


def _shard(shard: Mapping[str, Any], base: str) -> dict[str, Any]:
    name = f"{shard['name']}.tar"
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": f"{shard['samples']} samples of the split {shard['split']}.",
        "contentUrl": f"{base}shards/{name}",
        "contentSize": f"{shard['bytes']} B",
        "encodingFormat": "application/x-tar",
        "sha256": shard["sha256"],
    }


def _files(
    shards: Sequence[Mapping[str, Any]], base: str, manifest_sha256: str, told: Mapping[str, str]
) -> list[dict[str, Any]]:
    table = {
        "@type": "cr:FileObject",
        "@id": "manifest.parquet",
        "name": "manifest.parquet",
        "description": "A row a sample.",
        "contentUrl": f"{base}manifest.parquet",
        "encodingFormat": "application/x-parquet",
        "sha256": manifest_sha256,
    }
    within = [{"@id": f"{shard['name']}.tar"} for shard in shards]
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": f"{name}-files",
            "name": f"{name}-files",
            "description": text,
            "containedIn": within,
            "encodingFormat": "text/plain" if name == "caption" else "image/png",
            "includes": f"*.{TRUTH.get(name, f'{name}.png')}",
        }
        for name, text in told.items()
    ]
    return [table, *sets]


def _samples() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "A row a sample.",
        "key": {"@id": "samples/key"},
        "field": [
            _field(
                "samples", name, kind, text, {"fileObject": {"@id": "manifest.parquet"}, "extract": {"column": name}}
            )
            for name, (kind, text) in _COLUMNS.items()
        ],
    }


def _contents(name: str, text: str) -> dict[str, Any]:
    kind = ("text", "sc:Text") if name == "caption" else ("picture", "sc:ImageObject")
    files = {"fileSet": {"@id": f"{name}-files"}}
    # The key ends at the first dot, of the file's name and of the key itself: readers apply the expression twice.
    key = {**files, "extract": {"fileProperty": "filename"}, "transform": {"regex": r"^([^.]+)"}}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": text,
        "key": {"@id": f"{name}/key"},
        "field": [
            {
                **_field(name, "key", "sc:Text", "Key of the sample.", key),
                "references": {"field": {"@id": "samples/key"}},
            },
            _field(name, *kind, text, {**files, "extract": {"fileProperty": "content"}}),
            *(
                _field(name, column, *_COLUMNS[column], {"field": {"@id": f"samples/{column}"}})
                for column in ("split", "kinds", "coverage")
            ),
        ],
    }


def _field(record_set: str, name: str, kind: str, text: str, source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "description": text,
        "dataType": kind,
        "source": source,
    }
