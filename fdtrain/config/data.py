"""The settings of the data: which samples are trained on, at what size, and how they are varied."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from fdgen.settings.values import Names, Section, Share, listed, none_from_text, one_of, within

VARIETY = ("frame", "backdrop", "light", "temperature", "exposure", "tone", "blur", "noise", "jpeg")
"""The steps of `fdtrain.data.augment_photographs` other than mirroring, in their order."""


class OnTheFlyConfig(Section):
    """Photographs that are occluded while training, in place of a dataset. No path in it is ever written down."""

    # Folder of photographs, or of CelebA, as `fdgen build --faces` takes it; `samples` are those that come with fdgen.
    # Empty where there is a dataset.
    faces: str = ""
    # Built-in recipe, or the path of a file.
    recipe: str = "default"
    # What is changed in the recipe, as `fdgen build --set` does: `["coverage.max=0.4", "size_px=128"]`.
    overrides: Names = ()


class DataConfig(Section):
    """What is trained on."""

    # Folder that `fdgen build` wrote. It is never written down: a run is tied to the dataset's content_id instead.
    root: str = Field(default="", exclude=True)
    # No dataset but photographs, each with another occluder in every epoch. A run records recipe and photographs by
    # their digests.
    on_the_fly: OnTheFlyConfig = Field(default=OnTheFlyConfig(), exclude=True)
    size_px: Annotated[int, within(16, 1024)] = 256
    # Kinds of occluder to train on; none means all.
    kinds: Annotated[Names | None, BeforeValidator(none_from_text)] = None
    # Kinds never to train on: a sample with one of them is left out, also where it has others. None means none.
    without: Annotated[Names | None, BeforeValidator(none_from_text)] = None
    # Samples never to train on, by their keys, as `fdgen browse` writes them of what is marked. None means none. Those
    # of other splits stay: validations of runs with and without them are of the same pictures.
    without_samples: Annotated[Names | None, BeforeValidator(none_from_text)] = None
    # Paired augmentation: nothing, mirroring, mirroring with mild photometric changes and JPEG, or all that other
    # photographs may differ in; of silhouettes, nothing or the last.
    augment: Literal["none", "flip", "mild", "photograph"] = "none"
    # Steps left out where pairs are varied as photographs: frame, backdrop, light, temperature, exposure, tone, blur,
    # noise or jpeg.
    augment_without: Annotated[tuple[Annotated[str, one_of(VARIETY)], ...], BeforeValidator(listed)] = ()
    # How often both pictures of a pair lose their colour.
    grey: Share = 0.0
    # How often a training face wears the occluder of another sample in place of its own, drawn again in each epoch.
    # Paired with one hole each, a few thousand faces are learnt by heart; the light of another's occluder is not the
    # face's, so this is for networks that blank the hole.
    mix: Share = 0.0
    # Compare every byte read with the manifest's digests.
    verify: bool = False

    @property
    def is_on_the_fly(self) -> bool:
        """Whether occluders are drawn while training."""
        return bool(self.on_the_fly.faces)

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> DataConfig:
        fly = self.on_the_fly
        if not fly.faces:
            if fly != OnTheFlyConfig():
                raise ValueError(
                    "must have data.on_the_fly.faces, the folder of photographs, with other settings of data.on_the_fly"
                )
            return self
        if self.root:
            raise ValueError(
                f"must have a dataset (--data {self.root}) or photographs (data.on_the_fly.faces={fly.faces}), got both"
            )
        for name in ("kinds", "without", "without_samples"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"must leave data.{name} alone with data.on_the_fly: its recipe says what is drawn, and on whom"
                )
        if self.mix > 0:
            raise ValueError(
                f"must have a data.mix of 0 with data.on_the_fly, got {self.mix:g}: every epoch draws new occluders"
            )
        if self.verify:
            raise ValueError("must have data.verify off with data.on_the_fly: there are no stored digests")
        return self
