"""The methods of a comparison, one row for each: the only place that lists them. Standard library alone.

It is on the ground floor, and not with the networks, because settings and presets read it too. To add a method: write
its network (`fdtrain/networks/`) and its objective (`fdtrain/objectives/`) and put a row here; where it has settings
beyond widths, a table in `fdtrain/config/baselines.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

VARIATIONAL = ("mumford-shah-euler", "structure-texture", "joint-interpolation")
"""The diffusion methods that the paper names; each takes seconds for a picture of 256 px."""

REFERENCES = ("copy", "telea", "navier-stokes", "biharmonic", *VARIATIONAL, "patchmatch", "mean-face", "eigenfaces")
"""Methods that train no network; `fdtrain.evaluation.references` opens them."""

Finish = Literal[
    "none", "shift", "mirror", "membrane", "shift+mirror", "shift+membrane", "mirror+membrane", "shift+mirror+membrane"
]

FINISHES: tuple[Finish, ...] = get_args(Finish)
"""What is done to restored pictures without any training: `fdtrain.inference.finish`."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a paper trains: batch, images in all, learning rates of G and D, betas of Adam."""

    batch: int
    images: int
    rates: tuple[float, float]
    betas: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Method:
    """What is known of one method that trains.

    Args:
        name: As in options and in tables. The preset of that name is for 256 px; others begin with it.
        paper: Which paper it is from, for lists.
        network: `module:Class` of a `Restorer`.
        objective: `module:Class` of an `Objective`, called with config, settings and perceptual network.
        settings: `module:Class` of its table `baseline`; "" where it has widths alone.
        training: How the paper trains: what its preset says. None for the stack, whose presets are in
            `fdtrain.config.presets`.
        compares_features: Whether its loss looks at pictures through the perceptual network.
        learns_from_landmarks: Whether it learns from the landmarks of clean faces, which it does not need to restore.
        small: What else the preset for 64 px changes.
        deviations: What is not as in the paper, a sentence each: all that is known of.
    """

    name: str
    paper: str
    network: str
    objective: str
    settings: str = ""
    training: Training | None = None
    compares_features: bool = False
    learns_from_landmarks: bool = False
    small: Mapping[str, Any] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()


# As `modern-64`: with bf16, 1.1 (pix2pix) to 2.7 times (GLCM) the images a second on a CPU that has it. Not where
# instances are normalised and nothing else takes long: `din` is a sixth slower with both.
_FAST = {"training.channels_last": True}
_HALF = {"baseline.width": 32, "baseline.discriminator_width": 32}
_STACK = ("fdtrain.networks.fdstack:StackedGAN", "fdtrain.objectives.stacked:StackedObjective")

_PASTED = "what is measured is the output pasted into the hole, as for every method"
_VARIED = "training faces are mirrored and exchange occluders (data.augment, data.mix), as in no paper but in `modern`"
_GREY = "the hole is filled with mid grey, where the paper has the mean colour of the training pictures"
_OUTLINED = "regions of faces are six, outlined by landmarks; the paper's labels were drawn by hand"

_ROWS = (
    Method(
        "faithful",
        "FD-StackGAN",
        *_STACK,
        compares_features=True,
        deviations=(
            'the decoder "is similar to the encoder": to the letter its first and last layers would begin with a tanh, '
            "too; here they begin with a relu, and a tanh ends the output",
            "training faces are neither mirrored nor exchange occluders, of which the paper says nothing; all other "
            "methods of a comparison have both: it is not treated alike in this",
        ),
    ),
    Method(
        "modern",
        "FD-StackGAN, changed where that was measured to matter",
        *_STACK,
        compares_features=True,
        deviations=("it is not the paper's: the comments on its preset say in what",),
    ),
    Method(
        "glcm",
        "Iizuka et al. 2017",
        "fdtrain.networks.glcm:Glcm",
        "fdtrain.objectives.glcm:GlcmObjective",
        "fdtrain.config.baselines:GlcmConfig",
        Training(96, 48_000_000, (1.0, 1.0), (0.5, 0.999)),
        small={
            **_HALF,
            # Of 500,000 iterations: 90,000 alone, 10,000 for the discriminators (section 4).
            "baseline.discriminator_from_images": 28_800,
            "baseline.adversarial_from_images": 32_000,
            **_FAST,
        },
        deviations=(
            "the local discriminator looks at the hole of real pictures, too; the paper draws a second mask for them",
            _GREY,
            "Poisson blending of the hole with its surroundings is left out: " + _PASTED,
            _VARIED,
        ),
    ),
    Method(
        "gca",
        "Yu et al. 2018",
        "fdtrain.networks.gca:Gca",
        "fdtrain.objectives.gca:GcaObjective",
        "fdtrain.config.baselines:GcaConfig",
        Training(16, 16_000_000, (1e-4, 1e-4), (0.5, 0.9)),
        # One step of the critics for each of the generator, not five: budgets are counted in images, and four fifths of
        # them would teach the generator nothing.
        small={"baseline.width": 16, "baseline.discriminator_width": 32, "baseline.critic_steps": 1, **_FAST},
        deviations=(
            "at 64 px the critics take one step for each of the generator, where the paper takes five",
            _VARIED,
        ),
    ),
    Method(
        "edgeconnect",
        "Nazeri et al. 2019",
        "fdtrain.networks.edgeconnect:EdgeConnect",
        "fdtrain.objectives.edgeconnect:EdgeConnectObjective",
        "fdtrain.config.baselines:EdgeConnectConfig",
        Training(8, 2_000_000, (1e-4, 1e-5), (0.0, 0.9)),
        compares_features=True,
        small={**_HALF, "baseline.joint_from_images": 128_000, **_FAST},
        deviations=(
            "features are matched over four maps of the discriminator; the paper has five: the logits are left out",
            "the rate goes from 1e-4 to the joint phase at 1e-6; the phase at 1e-5 in between is left out",
            "phases begin after a number of images, where the paper waits for losses to stop falling",
            _VARIED,
        ),
    ),
    Method(
        "context-encoder",
        "Pathak et al. 2016",
        "fdtrain.networks.context_encoder:ContextEncoder",
        "fdtrain.objectives.context_encoder:ContextEncoderObjective",
        "fdtrain.config.baselines:ContextEncoderConfig",
        Training(64, 6_000_000, (2e-3, 2e-4), (0.5, 0.999)),
        small={**_HALF, "baseline.bottleneck": 1000, **_FAST},
        deviations=(
            "one more deconvolution gives the whole picture, since holes are anywhere; the paper gives the middle",
            _GREY,
            _VARIED,
        ),
    ),
    Method(
        "pix2pix",
        "Isola et al. 2017",
        "fdtrain.networks.pix2pix:Pix2pix",
        "fdtrain.objectives.pix2pix:Pix2pixObjective",
        "fdtrain.config.baselines:Pix2pixConfig",
        Training(4, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        small={**_HALF, **_FAST},
        deviations=(
            "the discriminator is normalised by instance, where the paper normalises by batch",
            "at test time normalisation has the statistics of training, and nothing is dropped; the paper takes those "
            "of the test batch, and drops",
            "the mask is a fourth channel of the condition",
            _VARIED,
        ),
    ),
    Method(
        "din",
        "Din et al. 2020, editing module",
        "fdtrain.networks.din:Din",
        "fdtrain.objectives.din:DinObjective",
        "fdtrain.config.baselines:DinConfig",
        Training(10, 2_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        compares_features=True,
        small={**_HALF, "baseline.mask_from_images": 64_000},
        deviations=(
            "the map module, which finds the mask, is left out: masks are given, as to every method",
            "kernels and widths, which the paper leaves to a figure, are those of pix2pix",
            _VARIED,
        ),
    ),
    Method(
        "deepfillv2",
        "Yu et al. 2019",
        "fdtrain.networks.baselines.deepfill:DeepFill",
        "fdtrain.objectives.baselines.deepfill:DeepFillObjective",
        "fdtrain.config.baselines:DeepFillConfig",
        Training(16, 16_000_000, (1e-4, 1e-4), (0.5, 0.999)),
        small={"baseline.width": 24, "baseline.discriminator_width": 32, **_FAST},
        deviations=(
            "the paper says of no training how long it is: 16 million pictures are those of GCA, by the same authors",
            "sketches as guidance are left out",
            _VARIED,
        ),
    ),
    Method(
        "lama",
        "Suvorov et al. 2022",
        "fdtrain.networks.baselines.lama:Lama",
        "fdtrain.objectives.baselines.lama:LamaObjective",
        "fdtrain.config.baselines:LamaConfig",
        Training(30, 30_000_000, (1e-3, 1e-4), (0.9, 0.999)),
        compares_features=True,
        small={**_HALF, **_FAST},
        deviations=(
            "the perceptual loss is of a VGG, by the weight that the authors' program has for one; the paper's is of a "
            "dilated ResNet-50 trained to segment, whose large field of view it finds to matter",
            "an L1 outside the hole is added, which is in the authors' program and not in the paper's equations",
            "first weights are drawn as those of DCGAN, of which the paper says nothing",
            "masks are those of the dataset, where the paper draws large ones",
            _VARIED,
        ),
    ),
    Method(
        "afd-stackgan",
        "Jabbar et al. 2022",
        "fdtrain.networks.baselines.afd_stackgan:AfdStackGan",
        "fdtrain.objectives.baselines.afd_stackgan:AfdStackGanObjective",
        "fdtrain.config.baselines:AfdStackGanConfig",
        Training(10, 18_000_000, (1e-4, 4e-4), (0.5, 0.999)),
        compares_features=True,
        small=_HALF,
        deviations=(
            "layers, losses and rates are those of FD-StackGAN, by the same authors, which it builds on: of the later "
            "article the abstract was at hand, and what it says elsewhere may differ",
            "the mask network has the shape of the Base-Net and one channel out; it learns by cross-entropy and an "
            "adversary",
            "it removes what its own mask marks; what is measured is its output pasted into the given mask",
            _VARIED,
        ),
    ),
    Method(
        "gfcm",
        "Li et al. 2017",
        "fdtrain.networks.baselines.gfcm:Gfcm",
        "fdtrain.objectives.baselines.gfcm:GfcmObjective",
        "fdtrain.config.baselines:GfcmConfig",
        Training(16, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        learns_from_landmarks=True,
        small={
            **_HALF,
            "baseline.bottleneck": 256,
            "baseline.local_from_images": 64_000,
            "baseline.whole_from_images": 96_000,
            **_FAST,
        },
        deviations=(
            "the network that parses learns beside the others, of six regions outlined by landmarks; the paper's is "
            "trained before, on eleven labels drawn by hand, and held still",
            "the hole is filled with mid grey, where the paper fills it with noise",
            "maps are enlarged by repeating pixels, where the paper unpools; batches are normalised",
            "batch, rates, lengths of phases and the size of the connected layer are not the paper's, which was not at "
            "hand; the weights of its losses are, read as those of sums over a picture of 128 px",
            "Poisson blending of the hole with its surroundings is left out: " + _PASTED,
            _VARIED,
        ),
    ),
    Method(
        "maharjan",
        "Maharjan et al. 2020",
        "fdtrain.networks.baselines.maharjan:Maharjan",
        "fdtrain.objectives.baselines.maharjan:MaharjanObjective",
        "fdtrain.config.baselines:MaharjanConfig",
        Training(10, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        compares_features=True,
        learns_from_landmarks=True,
        small={**_HALF, **_FAST},
        deviations=(
            _OUTLINED,
            "of the paper the abstract was at hand, which has the two stages, what the second one sees, and the kinds "
            "of losses; layers, weights and rates are those of pix2pix and of Din et al., its co-author",
            "it looks at no mask; what is measured is its output pasted into the given one",
            _VARIED,
        ),
    ),
    Method(
        "gafc",
        "Song et al. 2019",
        "fdtrain.networks.baselines.gafc:Gafc",
        "fdtrain.objectives.baselines.gafc:GafcObjective",
        "fdtrain.config.baselines:GafcConfig",
        Training(16, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        learns_from_landmarks=True,
        small={**_HALF, **_FAST},
        deviations=(
            _OUTLINED,
            "heat maps are five, one a component, where the paper has one picture in which each component has a value "
            "of its own",
            "estimator and generator are U-Nets, and the weights of the losses are chosen here: of the paper the "
            "abstract and the introduction were at hand",
            _VARIED,
        ),
    ),
    Method(
        "collagan",
        "Liao et al. 2018",
        "fdtrain.networks.baselines.collagan:CollaGan",
        "fdtrain.objectives.baselines.collagan:CollaGanObjective",
        "fdtrain.config.baselines:CollaGanConfig",
        Training(16, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        learns_from_landmarks=True,
        small={**_HALF, **_FAST},
        deviations=(
            _OUTLINED,
            "of the paper the abstract was at hand; its emphasis on inpainting instead of autoencoding is read as a "
            "loss in the hole alone, with pictures judged after the known part is pasted in",
            "layers are those of a U-Net with three decoders, its discriminators, weights and rates those of pix2pix",
            _VARIED,
        ),
    ),
    Method(
        "symmfcnet",
        "Li et al. 2018",
        "fdtrain.networks.baselines.symmfcnet:SymmFcNet",
        "fdtrain.objectives.baselines.symmfcnet:SymmFcNetObjective",
        "fdtrain.config.baselines:SymmFcNetConfig",
        Training(16, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        compares_features=True,
        learns_from_landmarks=True,
        small={**_HALF, **_FAST},
        deviations=(
            "the flow is learnt at each pixel of the face, from a mesh; the paper has landmarks and smoothness",
            "discriminators are of the whole picture and of the hole; the paper has one of the whole and one for each "
            "part of the face",
            "all three networks are U-Nets, and the weights of the losses are chosen here: of the paper the abstract "
            "and the introduction were at hand; both subnets learn together from the first step",
            _VARIED,
        ),
    ),
    Method(
        "demeshnet",
        "Zhang et al. 2017",
        "fdtrain.networks.baselines.demeshnet:DeMeshNet",
        "fdtrain.objectives.baselines.demeshnet:DeMeshNetObjective",
        "fdtrain.config.baselines:DeMeshNetConfig",
        Training(16, 4_000_000, (2e-4, 2e-4), (0.9, 0.999)),
        compares_features=True,
        small={**_HALF, **_FAST},
        deviations=(
            "features are those of the perceptual network (a VGG), which knows no identities; the paper's are of a "
            "network for face recognition, of which none at hand has a gradient",
            "faces are aligned already: the spatial transformer before those features is left out",
            "layers are those of a U-Net, weights and rates are chosen here: of the paper the abstract was at hand",
            "it looks at no mask; what is measured is its output pasted into the given one",
            _VARIED,
        ),
    ),
    Method(
        "yeh",
        "Yeh et al. 2017",
        "fdtrain.networks.baselines.yeh:Yeh",
        "fdtrain.objectives.baselines.yeh:YehObjective",
        "fdtrain.config.baselines:YehConfig",
        Training(64, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        # A search of 500 pictures, eight times in a run, would take longer than the training.
        small={**_HALF, "baseline.steps": 200, "output.validation_limit": 50, **_FAST},
        deviations=(
            "the paper's faces have 64 px: at 256 px the generator doubles twice more; multiplications are counted of "
            "one pass, and a search takes three for each of its steps",
            "the search has Adam's rate of 0.03, of which the paper says nothing, and 200 steps at 64 px for 1,500; "
            "each begins at the same z",
            "Poisson blending of the hole with its surroundings is left out: " + _PASTED,
            _VARIED,
        ),
    ),
)

LEARNED: Mapping[str, Method] = {row.name: row for row in _ROWS}
"""Methods that train, in the order of the tables."""


def baselines() -> dict[str, Method]:
    """Return by name those that are not the stack."""
    return {name: row for name, row in LEARNED.items() if row.training is not None}
