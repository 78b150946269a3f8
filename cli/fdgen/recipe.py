"""`fdgen recipe`: list, show, check, init."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..shared.build_progress import Trials
from ..shared.fdgen_options import (
    cache_options,
    detector_option,
    faces_option,
    json_option,
    open_cache,
    quiet_option,
    resolve_recipe,
    workers_option,
)
from ..shared.lazy_group import Group
from ..shared.output import Voice, aligned, counted, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.prepare import list_faces, ready_renderer
from ..shared.progress import Stages, metered

if TYPE_CHECKING:
    from fdgen.networks import DetectorName
    from fdgen.recipe.target_shares import Asked

SHOWN = 4
"""Shares printed for one thing asked; a recipe with pairs of kinds has dozens."""


@click.group("recipe", cls=Group)
def command() -> None:
    """List, show, check or start a recipe: the settings of a dataset."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the built-in recipes."""
    from fdgen.recipe.schema import Recipe, recipe_names

    recipes = [Recipe.load(name) for name in recipe_names()]
    if as_json:
        emit_json([{"name": recipe.name, "description": recipe.description} for recipe in recipes])
        return
    for line in aligned([(recipe.name, recipe.description) for recipe in recipes]):
        emit(line)


@command.command()
@click.argument("name", default="default")
@click.option("--resolved", is_flag=True, help="Print every value with all defaults, as a build would use it.")
@json_option
def show(name: str, resolved: bool, as_json: bool) -> None:
    """Print the recipe NAME (built in, or a file), comments and all."""
    from fdgen.recipe.schema import Recipe, recipe_names, recipe_text

    if as_json:
        emit_json(Recipe.load(name).as_dict())
    elif resolved:
        emit(Recipe.load(name).to_toml().rstrip())
    elif name in recipe_names():
        emit(recipe_text(name).rstrip())
    else:
        Recipe.load(name)  # refuses what is no recipe
        emit(Path(name).read_text(encoding="utf-8-sig").rstrip())


@command.command()
@click.argument("recipe", metavar="NAME|FILE")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Check the recipe with this value changed."
)
@cache_options
@quiet_option
@json_option
def check(
    recipe: str, overrides: tuple[str, ...], cache: Path | None, no_cache: bool, quiet: bool, as_json: bool
) -> None:
    """Check a recipe, and print its digest: recipes of equal digest ask for equal pixels.

    The shares that it asks for are printed too: of the kinds, and of strata if there are any. Shares of regions are
    tried out on a few synthetic heads. `--json` has every share.
    """
    from fdgen.packs.library import open_library
    from fdgen.recipe.target_shares import asked
    from fdgen.synthesis.coverage_trials import find_targets

    voice = Voice(quiet)
    found = resolve_recipe(recipe, overrides)
    library = open_library(found.assets.packs)
    found.check_assets(library.digests().keys())
    shares = asked(found)
    ready_renderer(voice, found)
    with open_cache(cache, no_cache) as opened, Stages(voice) as stages:
        targets = find_targets(found, library, cache=opened, on_trial=Trials(stages).update)
    if as_json:
        emit_json(
            {
                "digest": found.digest(),
                "asked": [dataclasses.asdict(one) for one in shares],
                "placements_a_sample": round(targets.placements_a_sample(), 2),
                "faces_taken": round(targets.taken, 6),
            }
        )
        return
    emit(found.digest())
    voice.say(f"{recipe} is a valid recipe; it asks for")
    for line in aligned(summary(shares), indent=2):
        voice.say(line)
    if found.strata.asks_of_placements:
        voice.say(f"about {targets.placements_a_sample():.1f} placements are drawn for each sample")
    if found.strata.pose:
        voice.say(f"{targets.taken:.1%} of the faces are used, the others are skipped for their pose")


def summary(shares: Sequence[Asked]) -> list[tuple[str, str, str]]:
    """Return a row for each thing asked: of what, of which samples, the shares, the largest `SHOWN` of kinds."""
    groups: dict[tuple[str, str], list[Asked]] = {}
    for one in shares:
        of = one.of if one.what != "kinds" else "together" if "+" in one.stratum else "alone"
        groups.setdefault((one.what, of), []).append(one)
    rows = []
    for (what, of), members in groups.items():
        if what == "kinds":
            members = sorted(members, key=lambda one: -one.share)
        shown, others = members[:SHOWN], members[SHOWN:]
        told = [f"{one.stratum} {one.share:.1%}" for one in shown]
        if others:
            told.append(f"{counted(len(others), 'other')} {sum(one.share for one in others):.1%}")
        rows.append((what, of, ", ".join(told)))
    return rows


@command.command()
@click.argument("recipe", metavar="NAME|FILE", default="default")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Measure with this value changed.")
@faces_option
@detector_option
@workers_option
@cache_options
@quiet_option
@json_option
def offered(
    recipe: str,
    overrides: tuple[str, ...],
    faces: str | None,
    detector: DetectorName,
    workers: int,
    cache: Path | None,
    no_cache: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure which poses the faces have, and print them as a recipe's [strata.offered].

    A recipe that asks for poses needs this table: faces of the poses that are too frequent are skipped. The table is in
    the recipe, so that no sample depends on which other faces there are.
    """
    from fdgen.faces.detection import Landmarks, detect
    from fdgen.synthesis.pose_survey import offered_poses

    found, voice = resolve_recipe(recipe, overrides), Voice(quiet)
    source, photographs = list_faces(faces, voice, cache, no_cache)
    with open_cache(cache, no_cache) as opened, metered(voice, "landmarks", "photographs", len(photographs)) as meter:
        looked_at = detect(
            source,
            photographs,
            size_px=found.size_px,
            cache=opened,
            detector=detector,
            max_outside=found.faces.max_outside,
            workers=workers,
            on_face=meter.update,
        )
    usable = [one for one in looked_at.values() if isinstance(one, Landmarks)]
    shares = {name: round(share, 6) for name, share in offered_poses(found, usable).items()}
    if as_json:
        emit_json(shares)
        return
    emit("[strata.offered]")
    for name, share in shares.items():
        emit(f'"{name}" = {share}')


@command.command()
@click.argument("file", type=LocalPath(dir_okay=False))
@click.option("--from", "name", default="default", show_default=True, metavar="NAME", help="Built-in recipe to copy.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(file: Path, name: str, force: bool) -> None:
    """Write a recipe to FILE as a starting point, with every value explained."""
    from fdgen.io.atomic import write_whole
    from fdgen.recipe.schema import recipe_text

    text = recipe_text(name)
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists already; --force overwrites it")
    write_whole(file, text.encode())
    click.echo(f"wrote {file}; edit it, then: fdgen build --recipe {file} --out DATASET", err=True)
