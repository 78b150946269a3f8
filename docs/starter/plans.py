"""The settings of the starter weights, by the name of a plan."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("starter-mask", "starter")
"""The networks of a plan, in the order in which they are trained."""


@dataclass(frozen=True)
class Plan:
    """Words of `fdgen build`; of each network its preset, and the settings of `fdtrain fit` that differ from it.

    Pairs are of the photographs and of turned copies of them (`docs/starter/turned.py`), two each.
    `then` has further trainings, each of which begins with the weights of the one before: what differs from that.
    `limit` is how many pictures of a set are measured, `references` what is measured beside the networks.
    """

    pairs: tuple[str, ...]
    networks: dict[str, tuple[str, ...]]
    then: dict[str, tuple[tuple[str, ...], ...]]
    limit: int
    references: str


_SEEDED = ("seed=0", "training.precision={precision}", "machine.threads={threads}", "training.channels_last=true")
"""Of every network: nothing is left to the machine, so that it makes the same weights twice."""

_FACE_COLOUR = "network.face_colour=[0.41, 0.305, 0.31]"
"""The mean of the coloured portraits' faces. Studios light faces in one colour, everybody else in all: given to other
faces too, and taken back from what is painted, it brings 0.2 dB on CelebA, and holes are less grey.
"""

_HALVED = ("--set", "splits.train=0.5", "--set", "splits.val=0.25", "--set", "splits.test=0.25")  # of four people

PLANS = {
    "full": Plan(
        # More of a tightly cut portrait may be mirrored: a third of the grey ones reach out by more than 15 %.
        ("--size", "96", "--count", "20000", "--set", "faces.max_outside=0.3", "--set", "several.two=0.15"),
        {
            "starter-mask": (
                "mask-96",
                "mask.bare=0.4",  # half as much leaves fewer bare faces as they are
                "mask.backdrop=0.6",  # a studio's is plain; what is out of focus behind others is no occluder
                "training.images=120000",
                *_SEEDED,
            ),
            "starter": (
                "modern-64",
                "data.size_px=96",
                "data.augment=photograph",
                "data.grey=0.15",
                "loss.grey_chroma=false",
                "loss.perceptual=vgg16-stlpips",
                "network.widths=[40, 80, 160, 208, 208]",  # both networks are to fit into 20 MB, at 16 bits a number
                # The first half learns where things lie, the second what they look like.
                "training.images=72000",
                "training.decay_from_images=24000",
                "loss.perceptual_from_images=36000",
                "loss.adversarial_from_images=36000",
                *_SEEDED,
            ),
        },
        {
            "starter": (
                # Judged more strictly than in any preset: what the first training fills in is soft.
                (
                    _FACE_COLOUR,
                    "training.images=12000",
                    "training.lr_generator=7e-4",
                    "training.warmup_images=800",
                    "training.decay_from_images=none",
                    "training.cooldown_images=5000",
                    "training.best_by=last",  # PSNR knows nothing of what this is for
                    "loss.beta=[0, 10]",
                    "loss.gamma=[0, 10]",
                    "loss.perceptual_from_images=0",
                    "loss.adversarial_from_images=0",
                ),
                # Shown where hidden parts of the face lie, which an occluder of another face would show wrongly.
                (
                    "network.landmarks=true",
                    "data.mix=0",
                    "training.images=12500",
                    "training.lr_generator=1e-3",
                    "training.warmup_images=500",
                    "loss.gamma=[0, 5]",
                    "loss.adversarial_from_images=2500",
                ),
                # Judged strictly again, now that places are known.
                (
                    "training.images=9000",
                    "training.lr_generator=5e-4",
                    "training.cooldown_images=4000",
                    "loss.gamma=[0, 10]",
                    "loss.adversarial_from_images=0",
                ),
            ),
        },
        2_000,
        "telea,eigenfaces",
    ),
    # Whether everything works, in a minute: what it makes is worth nothing.
    "small": Plan(
        ("--size", "64", "--count", "24", *_HALVED),
        {
            "starter-mask": ("mask-96", "data.size_px=64", "mask.widths=[4, 8]", "training.images=64", *_SEEDED),
            "starter": (
                "tiny",
                "data.augment=photograph",
                "data.grey=0.15",
                "loss.grey_chroma=false",
                "network.widths=[8, 8, 8, 16, 16]",
                "discriminator.width=8",
                "training.images=64",
                "training.warmup_images=0",
                "loss.adversarial_from_images=32",
                *_SEEDED,
            ),
        },
        {
            "starter": (
                (_FACE_COLOUR, "training.images=32", "loss.adversarial_from_images=0"),
                ("network.landmarks=true", "data.mix=0", "training.images=48"),
            ),
        },
        8,
        "telea",
    ),
}
