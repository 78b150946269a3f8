"""`fdgen landmarks`: detect the landmarks of faces once, and cache them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..shared.errors import Interrupted
from ..shared.fdgen_options import (
    cache_option,
    detector_option,
    faces_option,
    json_option,
    quiet_option,
    resolve_recipe,
    time_limit_option,
    workers_option,
)
from ..shared.output import Voice, by_count, counted, emit, emit_json
from ..shared.prepare import list_faces
from ..shared.progress import metered

if TYPE_CHECKING:
    from fdgen.networks import DetectorName


@click.command("landmarks")
@faces_option
@click.option(
    "--size",
    "size_px",
    type=int,
    default=256,
    show_default=True,
    metavar="PX",
    help="Side of the square pictures, in pixels.",
)
@detector_option
@workers_option
@time_limit_option
@cache_option
@quiet_option
@json_option
def command(
    faces: str | None,
    size_px: int,
    detector: DetectorName,
    workers: int,
    time_limit_s: float | None,
    cache: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Detect the landmarks of faces once, and cache them, so that every later build starts at once.

    Photographs that cannot be used are listed on standard output: reason, path, problem.
    """
    from fdgen.contract.records import Reject
    from fdgen.errors import FacesError
    from fdgen.faces.detection import FaceCache, default_cache_path, detect, detector_version

    size_px = resolve_recipe("default", size_px=size_px).size_px  # refuses what no recipe could use
    voice = Voice(quiet)
    source, photographs = list_faces(faces, voice, cache)
    path = cache or default_cache_path()
    with FaceCache(path) as opened, metered(voice, "landmarks", "photographs", len(photographs)) as meter:
        known = opened.get_many(photographs, detector=detector_version(detector), size_px=size_px)
        meter.start_from(len(known))
        try:
            found = detect(
                source,
                photographs,
                size_px=size_px,
                cache=opened,
                detector=detector,
                workers=workers,
                on_face=meter.update,
                time_limit_s=time_limit_s,
                on_setback=voice.say,
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"landmarks of {counted(meter.done, 'photograph')} are kept in {path}; "
                "run the same command again to resume"
            ) from None
    rejects = [*source.rejects(), *(one for one in found.values() if isinstance(one, Reject))]
    reasons = Counter(reject.reason for reject in rejects)
    n_faces = sum(not isinstance(one, Reject) for one in found.values())
    if as_json:
        emit_json(
            {
                "faces": n_faces,
                "already_known": len(known),
                "rejects": dict(reasons.most_common()),
                "rejected": [{"source": r.source, "reason": r.reason, "detail": r.detail} for r in rejects],
                "cache": str(path),
                "detector": detector_version(detector),
                "size_px": size_px,
            }
        )
    else:
        for reject in sorted(rejects, key=lambda reject: (reject.reason, reject.source)):
            emit(f"{reject.reason}\t{reject.source}\t{reject.detail}")
    known_text = f", {len(known):,} of them known before" if known else ""
    voice.say(f"{counted(n_faces, 'face')} in {path}{known_text}")
    if rejects:
        voice.say(f"{counted(len(rejects), 'photograph')} without: {by_count(reasons)}")
    if not n_faces:
        raise FacesError(
            f"no photograph in {source.root} shows a face that can be used", hint="name a folder of portraits"
        )
