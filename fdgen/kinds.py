"""The kinds of occluder, a row each: the only place that lists them. Standard library alone.

To add a kind: write its module in `fdgen/occluders/` and put a row at the end. The order is that in which kinds are
drawn, listed and numbered (the categories of COCO), so rows are never moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of one kind of occluder.

    Args:
        name: As in recipes and in the asset index; ids of its assets begin with it.
        occluder: `module:Class` of what places and renders it; the class is called with the name.
        parts: Where it is worn. Two kinds that share a part are never on one face; one without parts goes with any.
        height: Of its layer. A higher kind lies over a lower one; 4 is that of a hat.
        excluded_by: Accessories already present in a photograph that leave no room for it, of
            `fdgen.analysis.worn_already.WORN`.
        under_hair: Whether the photograph's own hair falls over it. Hands and what they hold lie over hair.
        form: Of imported pictures and meshes of this kind, of `fdgen.occluders.imported.spec.FORMS`.
        straps: Of imported cloth of this kind, where its asset says nothing.
        least_alpha: Alpha from which a pixel of an imported picture is part of it: a tinted lens is.
        weights: In built-in recipes, by recipe; 0 in those not named. Give a kind that is added none in `default`:
            every recipe file is laid over that, so that a weight there changes all of them.
        about: Its comment in the default recipe.
        since_ten: Whether it is one of the ten that recipes named before a kind could be absent. Their weight is
            written where it is 0, too: digests of such recipes hold it.
    """

    name: str
    occluder: str
    parts: tuple[str, ...] = ()
    height: int = 4
    excluded_by: tuple[str, ...] = ()
    under_hair: bool = False
    form: str = "card"
    straps: str = "none"
    least_alpha: float = 0.5
    weights: Mapping[str, float] = field(default_factory=dict)
    about: str = ""
    since_ten: bool = False


def _rows() -> Iterator[Kind]:
    yield Kind(
        "sunglasses",
        "fdgen.occluders.eyewear.sunglasses:Sunglasses",
        parts=("eyes",),
        height=3,  # temples run over the loops of a mask, the bridge over its upper edge
        excluded_by=("eyewear",),
        under_hair=True,
        form="plate",
        least_alpha=0.12,
        weights={"default": 1.0, "everything": 1.0, "eyewear": 1.0, "paper": 1.0, "sunglasses": 1.0},
        since_ten=True,
    )
    yield Kind(
        "mask",
        "fdgen.occluders.masks.mask:Mask",
        parts=("mouth",),
        height=1,
        excluded_by=("mask",),
        under_hair=True,
        form="drape",
        straps="ears",
        weights={"default": 1.0, "everything": 1.0, "masks": 1.0, "paper": 1.0},
        since_ten=True,
    )
    yield Kind(
        "hand",
        "fdgen.occluders.hands.hand:Hand",
        parts=("held",),
        height=6,
        excluded_by=("hand",),
        weights={"default": 1.0, "everything": 1.0, "hands": 1.0, "paper": 1.0},
        since_ten=True,
    )
    yield Kind(
        "eyeglasses",
        "fdgen.occluders.eyewear.eyeglasses:Eyeglasses",
        parts=("eyes",),
        height=3,
        excluded_by=("eyewear",),
        under_hair=True,
        form="plate",
        weights={"default": 0.15, "everything": 1.0, "eyewear": 1.0},
        about="clear lenses: the alpha is the frame and what glare hides",
        since_ten=True,
    )
    yield Kind(
        "scarf",
        "fdgen.occluders.masks.mask:Mask",
        parts=("mouth",),
        height=2,
        excluded_by=("mask",),
        under_hair=True,
        form="drape",
        weights={"default": 0.1, "props": 1.0},
        about="over the mouth or the chin; a bandana or a tube of cloth is a mask",
        since_ten=True,
    )
    yield Kind(
        "cup",
        "fdgen.occluders.props.cup:Cup",
        parts=("held", "mouth"),  # nobody drinks through a mask
        height=5,
        excluded_by=("mask", "hand"),
        weights={"default": 0.1, "everything": 1.0, "props": 1.0},
        about="mugs, paper cups, glasses, cans and bottles at the mouth, with the hand that holds them",
        since_ten=True,
    )
    yield Kind(
        "microphone",
        "fdgen.occluders.props.microphone:Microphone",
        parts=("held",),
        height=5,
        excluded_by=("hand",),
        weights={"default": 0.1, "everything": 1.0, "props": 1.0},
        about="in the hand, on a stand, on an arm from the side",
        since_ten=True,
    )
    yield Kind(
        "hat",
        "fdgen.occluders.headwear.hat:Hat",
        parts=("crown",),
        height=4,
        excluded_by=("hat",),
        weights={"default": 0.05, "everything": 0.5, "props": 1.0},
        about="few of its pixels lie on the face; `--set kinds.hat=1` for more",
        since_ten=True,
    )
    yield Kind(
        "phone",
        "fdgen.occluders.props.phone:Phone",
        parts=("held",),
        height=5,
        excluded_by=("hand",),
        weights={"default": 0.05, "everything": 1.0, "props": 1.0},
        about="at the ear, or before the face",
        since_ten=True,
    )
    yield Kind(
        "shape",
        "fdgen.occluders.props.shape:Shape",
        height=7,
        weights={"default": 0.05, "everything": 1.0},
        about="random textured shapes, as RandOcc pastes: no real thing, for generalisation",
        since_ten=True,
    )
    yield Kind(
        "goggles",
        "fdgen.occluders.eyewear.goggles:Goggles",
        parts=("eyes", "temples"),  # they do not go under a hood, whose edge is nearer to the face
        height=3,
        excluded_by=("eyewear",),
        form="plate",
        least_alpha=0.12,
        weights={"everything": 1.0, "props": 1.0},
        about="for snow, work and water; a clear lens is no part of the alpha, as that of eyeglasses",
    )
    yield Kind(
        "shield",
        "fdgen.occluders.headwear.face_shield:FaceShield",
        parts=("crown", "held"),  # nobody holds anything to a face behind one
        height=4,
        excluded_by=("hat", "hand"),
        weights={"everything": 1.0, "props": 1.0},
        about="a clear sheet before the face: the alpha is its band, its edge and what glare hides",
    )
    yield Kind(
        "veil",
        "fdgen.occluders.hoods.veil:Veil",
        parts=("mouth", "crown"),  # many hang on a headscarf
        height=2,
        excluded_by=("mask", "hat"),
        form="drape",
        weights={"everything": 1.0, "props": 1.0},
        about="before the face from the nose down, plain or sheer, with a headscarf or tied",
    )
    yield Kind(
        "hood",
        "fdgen.occluders.hoods.hood:Hood",
        parts=("crown", "temples"),
        height=4,
        excluded_by=("hat",),
        weights={"everything": 0.5, "props": 1.0},
        about="of a jacket or sweater, round the face and over the hair",
    )


KINDS: Mapping[str, Kind] = {row.name: row for row in _rows()}


def kind_of(name: str) -> Kind:
    """Return the row of a kind; of one that is not in the table, a row that goes with any other kind."""
    return KINDS.get(name) or Kind(name, "")


def weight_lines(recipe: str) -> list[str]:
    """Return the lines of the table `kinds` in a built-in recipe, as TOML.

    >>> weight_lines("masks")[:2]
    ['sunglasses = 0.0', 'mask = 1.0']
    """
    lines = []
    for row in KINDS.values():
        weight = row.weights.get(recipe, 0.0)
        if weight or row.since_ten or row.weights.get("default"):
            about = f"  # {row.about}" if row.about and recipe == "default" else ""
            lines.append(f"{row.name} = {weight}".ljust(26 if about else 0) + about)
    return lines
