"""The settings of the baselines, a table a method; the defaults are those of each paper, at its own size.

Widths are those of a network's first layer: the others follow from it as in the paper's table of layers. What a paper
gives in iterations is here in training images (`_images`), at the batch of its preset.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from fdgen.settings.values import (
    Count,
    NotNegative,
    Number,
    Positive,
    Section,
    Share,
    at_least,
    listed,
    of_length,
    within,
)

Images = Annotated[int, at_least(0)]
Weights = Annotated[
    tuple[NotNegative, ...], BeforeValidator(listed), of_length(2, "two values, of the first and of the second one")
]


class BaselineSettings(Section):
    """What every baseline answers; the settings of one that has widths alone."""

    glorot: ClassVar[bool] = False
    """Whether first weights are drawn after Glorot, where the paper says nothing, or as those of DCGAN."""

    multiple_px: ClassVar[int] = 4
    """The side of a picture must be a multiple of this."""

    whole_octaves: ClassVar[bool] = False
    """Whether the network halves the picture until 4 px (or 1 px) are left, so that its side must be 4, 8, 16 ..."""

    # Channels of the first layer of the generator and of the discriminators.
    width: Count = 64
    discriminator_width: Count = 64
    method: str

    def check_size(self, size_px: int) -> None:
        """Raise `ValueError` where the network cannot take pictures of this side."""
        if size_px < 32:
            raise ValueError(f"must have a data.size_px of 32 or more for this method, got {size_px}")
        if self.whole_octaves and size_px & (size_px - 1):
            raise ValueError(f"must have a data.size_px that is a power of 2 for this method, got {size_px}")
        if size_px % self.multiple_px:
            raise ValueError(f"must have a data.size_px that {self.multiple_px} divides, got {size_px}")


class GlcmConfig(BaselineSettings):
    """Iizuka et al. 2017, "Globally and Locally Consistent Image Completion"."""

    glorot: ClassVar[bool] = True

    method: Literal["glcm"] = "glcm"
    # alpha of eq. 4, weight of the adversarial term.
    adversarial: NotNegative = 0.0004
    # The three phases of algorithm 1: MSE alone, discriminators alone (T_C), both together (T_C + T_D).
    discriminator_from_images: Images = 90_000 * 96
    adversarial_from_images: Images = 100_000 * 96
    # Section 4: ADADELTA, which needs no rate (training.lr_* are then factors, 1 in the preset).
    optimiser: Literal["adadelta", "adam"] = "adadelta"


class GcaConfig(BaselineSettings):
    """Yu et al. 2018, "Generative Image Inpainting with Contextual Attention"."""

    glorot: ClassVar[bool] = True
    multiple_px: ClassVar[int] = 8  # features at a quarter are matched at half of that

    method: Literal["gca"] = "gca"
    width: Count = 32
    # Weights of the spatially discounted L1 in the hole, of both outputs, and of the L1 outside.
    l1: NotNegative = 1.2
    coarse: NotNegative = 1.2
    known: NotNegative = 1.2
    adversarial: NotNegative = 0.001
    # gamma of section 3.2: a pixel so far from the known ones counts gamma ** distance_px.
    discount: Annotated[Number, within(0.5, 1)] = 0.99
    # lambda of eq. 4.
    gradient_penalty: NotNegative = 10.0
    # Algorithm 1: so many steps of the critics for one of the generator, each on a batch of its own.
    critic_steps: Count = 5


class EdgeConnectConfig(BaselineSettings):
    """Nazeri et al. 2019, "EdgeConnect: Generative Image Inpainting with Adversarial Edge Learning"."""

    method: Literal["edgeconnect"] = "edgeconnect"
    # Residual blocks in the middle of both generators.
    blocks: Count = 8
    # Standard deviation in px of the Gaussian of the Canny detector (section 4.1).
    sigma_px: Positive = 2.0
    # Weights of section 3: of feature matching (eq. 2), and of the four terms of the completion network (eq. 8).
    feature_matching: NotNegative = 10.0
    l1: NotNegative = 1.0
    adversarial: NotNegative = 0.1
    perceptual: NotNegative = 0.1
    style: NotNegative = 250.0
    # From here on the edge discriminator is gone and both generators learn from the completion's loss, end to end, at
    # this share of the rate (section 4.2: 1e-6 after 1e-4).
    joint_from_images: Images = 1_600_000
    joint_rate: Annotated[Number, within(1e-6, 1)] = 0.01


class ContextEncoderConfig(BaselineSettings):
    """Pathak et al. 2016, "Context Encoders: Feature Learning by Inpainting"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["context-encoder"] = "context-encoder"
    # Channels of the bottleneck of 1x1.
    bottleneck: Count = 4000
    # lambda_rec and lambda_adv of eq. 3.
    reconstruction: NotNegative = 0.999
    adversarial: NotNegative = 0.001


class Pix2pixConfig(BaselineSettings):
    """Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["pix2pix"] = "pix2pix"
    # lambda of eq. 4.
    l1: NotNegative = 100.0
    dropout: Share = 0.5


class DinConfig(BaselineSettings):
    """Din et al. 2020, "A Novel GAN-Based Network for Unmasking of Masked Face"."""

    multiple_px: ClassVar[int] = 8

    method: Literal["din"] = "din"
    # How often the encoder halves the picture; 32 px and 8 px are left of 256 px and of 64 px at 3.
    halvings: Annotated[int, within(1, 5)] = 3
    # Weights of the reconstruction (L1 + SSIM), of the perceptual term, and of both adversaries.
    reconstruction: NotNegative = 100.0
    perceptual: NotNegative = 1.0
    whole: NotNegative = 0.3
    mask: NotNegative = 0.7
    # Up to here the discriminator of the whole face is alone, then that of the mask's region joins it.
    mask_from_images: Images = 800_000


class DeepFillConfig(BaselineSettings):
    """Yu et al. 2019, "Free-Form Image Inpainting with Gated Convolution"."""

    glorot: ClassVar[bool] = True
    multiple_px: ClassVar[int] = 8  # features at a quarter are matched at half of that

    method: Literal["deepfillv2"] = "deepfillv2"
    # Channels of the first convolution, features and gates together.
    width: Count = 48
    # Weights of the L1 of the final and of the coarse picture, and of SN-PatchGAN: all alike.
    l1: NotNegative = 1.0
    coarse: NotNegative = 1.0
    adversarial: NotNegative = 1.0


class LamaConfig(BaselineSettings):
    """Suvorov et al. 2022, "Resolution-robust Large Mask Inpainting with Fourier Convolutions"."""

    multiple_px: ClassVar[int] = 8

    method: Literal["lama"] = "lama"
    # Residual blocks of Fourier convolutions.
    blocks: Count = 9
    # Weights of the L1 outside the hole, of the adversarial term, and of the matching of the discriminator's features.
    known: NotNegative = 10.0
    adversarial: NotNegative = 10.0
    feature_matching: NotNegative = 100.0
    # Of the squared distance of VGG's features: the authors' own where they try a VGG.
    perceptual: NotNegative = 0.03
    # gamma of R1.
    gradient_penalty: NotNegative = 0.001


class AfdStackGanConfig(BaselineSettings):
    """Jabbar et al. 2022, "AFD-StackGAN: Automatic Mask Generation Network for Face De-Occlusion Using StackGAN"."""

    multiple_px: ClassVar[int] = 32

    method: Literal["afd-stackgan"] = "afd-stackgan"
    # Weight of the cross-entropy of the mask, next to an adversary of weight 1.
    mask: NotNegative = 100.0
    # Of the reconstruction (L1 + SSIM) and of the perceptual term of both face generators: those of FD-StackGAN.
    alpha: Weights = (100.0, 10.0)
    beta: Weights = (33.0, 3.3)


class GfcmConfig(BaselineSettings):
    """Li et al. 2017, "Generative Face Completion"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["gfcm"] = "gfcm"
    # Values between encoder and decoder, where everything is connected.
    bottleneck: Count = 1024
    # lambda_1 to lambda_3 of eq. 4, over the values of a picture of 128 px: 300, 300 and 0.005 belong to a sum.
    local: NotNegative = 0.006
    whole: NotNegative = 0.006
    parsing: NotNegative = 0.0017
    # Section 3.3: L2 alone, with the local discriminator, with the global one and the parsing loss.
    local_from_images: Images = 1_600_000
    whole_from_images: Images = 2_400_000


class MaharjanConfig(BaselineSettings):
    """Maharjan et al. 2020, "Image-to-Image Translation Based Face De-Occlusion"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["maharjan"] = "maharjan"
    # Weight of the cross-entropy of the segmentation, next to an adversary of weight 1.
    segmentation: NotNegative = 100.0
    # Of the reconstruction (L1 + SSIM) and of the perceptual term of the face, next to an adversary of weight 1.
    reconstruction: NotNegative = 100.0
    perceptual: NotNegative = 10.0


class GafcConfig(BaselineSettings):
    """Song et al. 2019, "Geometry-Aware Face Completion and Editing"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["gafc"] = "gafc"
    # Standard deviation of a landmark's heat map, as a share of the side.
    sigma: Positive = 0.015
    # Weights of the estimator: the squared error of heat maps, and the cross-entropy of the parsing.
    heat: NotNegative = 10.0
    parsing: NotNegative = 1.0
    # Of the generator: L1 of the picture, cross-entropy of the mask that it predicts and that one's nuclear norm, and
    # both adversaries.
    l1: NotNegative = 10.0
    mask: NotNegative = 1.0
    low_rank: NotNegative = 0.001
    whole: NotNegative = 0.1
    hole: NotNegative = 0.1


class CollaGanConfig(BaselineSettings):
    """Liao et al. 2018, "Face Completion with Semantic Knowledge and Collaborative Adversarial Learning"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["collagan"] = "collagan"
    # Standard deviation of a landmark's heat map, as a share of the side.
    sigma: Positive = 0.015
    # Weights of the L1 of the picture in its hole, of the squared error of heat maps and of the cross-entropy of the
    # parsing, next to an adversary of weight 1 for each of the three.
    l1: NotNegative = 100.0
    heat: NotNegative = 100.0
    parsing: NotNegative = 10.0


class SymmFcNetConfig(BaselineSettings):
    """Li et al. 2018, "Learning Symmetry Consistent Deep CNNs for Face Completion"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["symmfcnet"] = "symmfcnet"
    # Weights of the warping subnet: the squared error of the flow in shares of the side, that of the mirrored and lit
    # half, and the total variation of flow and light.
    flow: NotNegative = 100.0
    light: NotNegative = 10.0
    smooth: NotNegative = 0.1
    # Of the reconstruction subnet: squared error, features, symmetry of its own features, and both adversaries.
    reconstruction: NotNegative = 100.0
    perceptual: NotNegative = 1.0
    symmetry: NotNegative = 1.0
    whole: NotNegative = 1.0
    hole: NotNegative = 1.0


class DeMeshNetConfig(BaselineSettings):
    """Zhang et al. 2017, "DeMeshNet: Blind Face Inpainting for Deep MeshFace Verification"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["demeshnet"] = "demeshnet"
    # Weights of the squared error in the hole, next to that of the whole picture, and of that of features.
    hole: NotNegative = 1.0
    perceptual: NotNegative = 0.01


class YehConfig(BaselineSettings):
    """Yeh et al. 2017, "Semantic Image Inpainting with Deep Generative Models"."""

    whole_octaves: ClassVar[bool] = True

    method: Literal["yeh"] = "yeh"
    # Numbers that the generator makes a face of, each in [-1, 1].
    latent: Count = 100
    # Steps of the search for a picture's numbers, and their rate.
    steps: Count = 1500
    rate: Positive = 0.03
    # Side of the window in which a known pixel's neighbours are counted (section 3.2), and lambda of the prior.
    window_px: Annotated[int, within(3, 31)] = 7
    prior: NotNegative = 0.003
