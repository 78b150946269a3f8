"""`fdgen recipe`: list, show, check, init."""

from __future__ import annotations

from pathlib import Path

import click

from .lazy import Group
from .output import aligned, emit, emit_json
from .settings import json_option, resolve_recipe


@click.group("recipe", cls=Group)
def command() -> None:
    """List, show, check or start a recipe: what a dataset is asked to be."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the built-in recipes."""
    from fdgen.recipe import Recipe, recipe_names

    recipes = [Recipe.load(name) for name in recipe_names()]
    if as_json:
        emit_json([{"name": recipe.name, "description": recipe.description} for recipe in recipes])
        return
    for line in aligned([(recipe.name, recipe.description) for recipe in recipes]):
        emit(line)


@command.command()
@click.argument("name", default="default")
@click.option("--resolved", is_flag=True, help="Every value after all defaults, as a build would use it.")
@json_option
def show(name: str, resolved: bool, as_json: bool) -> None:
    """Print the recipe NAME (built in, or a file), comments and all."""
    from fdgen.recipe import Recipe, recipe_names, recipe_text

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
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Check it with this value changed.")
def check(recipe: str, overrides: tuple[str, ...]) -> None:
    """Check a recipe, and print its digest: recipes of equal digest ask for equal pixels."""
    found = resolve_recipe(recipe, overrides)
    emit(found.digest())
    click.echo(f"{recipe} is a valid recipe", err=True)


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from", "name", default="default", show_default=True, metavar="NAME", help="Built-in recipe to copy.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(file: Path, name: str, force: bool) -> None:
    """Write a recipe to start from to FILE, every value explained."""
    from fdgen.atomic import write_whole
    from fdgen.recipe import recipe_text

    text = recipe_text(name)
    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; --force writes over it")
    write_whole(file, text.encode())
    click.echo(f"wrote {file}; edit it, then: fdgen build --recipe {file} --out DATASET", err=True)
