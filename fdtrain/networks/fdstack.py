"""FD-StackGAN's two generators: the Base-Net, alone or with the Refine-Net stacked on it.

`B3HW` is pictures in [-1, 1], `B1HW` masks of 0 and 1 (1 where the occluder is).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fdtrain.config.schema import NetworkConfig
from fdtrain.faces.landmark_maps import maps_of_values
from fdtrain.networks.blocks import Activation, DilatedBlock, down, up, upsampling
from fdtrain.networks.preparation.colour_balance import as_colourless, tint, with_tint, without_tint
from fdtrain.networks.preparation.eigen_fill import EigenFill
from fdtrain.networks.restorer import INITIAL_SPREAD, Restoration, Restorer, composite

INPUT_CHANNELS = 4
"""I_o is "a combined input of an occluded face image I_c and corresponding binary mask I_m" (section 3.2)."""


def input_channels(config: NetworkConfig) -> int:
    """Return how many channels G_1 and the discriminators are shown: I_o, and maps of landmarks."""
    return INPUT_CHANNELS + config.n_maps


class Generator(nn.Module):
    """G_1 or G_2 (sections 3.2 and 3.4): a U-Net of five layers down and five up, dilated in the middle.

    (B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]. H and W must be multiples of `config.reduction`.

        down 1 .. down 5 -> dilated convolution + SE, one block a rate -> up 5 .. up 1 -> tanh
          |         |                                                    ^       ^
          +---------+-------------------- skips ------------------------+-------+
    """

    def __init__(self, in_channels: int, config: NetworkConfig, *, out_channels: int = 3) -> None:
        super().__init__()
        widths, strides, order = config.widths, config.strides, config.order
        ends: Activation = "tanh" if config.tanh_ends else "relu"
        acts: tuple[Activation, ...] = (ends, "relu", "relu", "relu", ends)
        self.encoder = nn.ModuleList(
            down(n_in, n_out, stride=stride, norm=config.norm, order=order, act=act)
            for n_in, n_out, stride, act in zip((in_channels, *widths), widths, strides, acts, strict=False)
        )
        self.middle = nn.Sequential(
            *(
                DilatedBlock(
                    widths[-1],
                    dilation=rate,
                    se_ratio=config.se_ratio,
                    norm=config.norm,
                    residual=config.residual_middle,
                )
                for rate in config.dilations
            )
        )
        # Up 5 sees the middle alone, the others the layer below and the encoder's of their own resolution.
        self.decoder = nn.ModuleList(
            up(
                widths[level] * (1 if level == len(widths) - 1 else 2),
                widths[level - 1],
                stride=strides[level],
                norm=config.norm,
                order=order,
                upsample=config.upsample,
            )
            for level in range(len(widths) - 1, 0, -1)
        )
        last = upsampling(2 * widths[0], out_channels, stride=strides[0], upsample=config.upsample)
        # Where activations come first, the last layer has had none yet.
        self.paint = nn.Sequential(*([nn.ReLU()] if order == "act-conv-norm" else []), last, nn.Tanh())

    def forward(self, input_BCHW: Tensor) -> Tensor:
        """Return the picture."""
        features_BCHW, skips = input_BCHW, []
        for layer in self.encoder:
            features_BCHW = layer(features_BCHW)
            skips.append(features_BCHW)
        features_BCHW = self.middle(skips.pop())
        for layer in self.decoder:
            features_BCHW = torch.cat([layer(features_BCHW), skips.pop()], 1)
        image_B3HW: Tensor = self.paint(features_BCHW)
        return image_B3HW


class BaseNet(Restorer):
    """The generator of stage I (section 3.2): all that there is where it is trained alone, as in tables 2 and 3.

    `forward(occluded_B3HW, mask_B1HW)` gives a `Restoration`.
    """

    def __init__(self, config: NetworkConfig, size_px: int) -> None:
        super().__init__()
        self.config = config
        self.base = Generator(input_channels(config), config)
        self.fill = EigenFill(config.eigenfaces, size_px) if config.eigenfaces else None

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Remove the occluder that the mask marks."""
        return self.by_maps(occluded_B3HW, mask_B1HW, self.landmark_maps(occluded_B3HW))

    def landmark_maps(self, occluded_B3HW: Tensor) -> Tensor | None:
        """Return the maps of landmarks of the pictures (B, M, H, W) in [0, 1], where the settings want them."""
        if not self.config.landmarks:
            return None
        if occluded_B3HW.is_meta:  # shapes only
            return occluded_B3HW.new_empty(len(occluded_B3HW), self.config.n_maps, *occluded_B3HW.shape[2:])
        maps = maps_of_values(occluded_B3HW.detach().to("cpu", torch.float32).numpy())
        return torch.from_numpy(maps).to(occluded_B3HW)

    def by_maps(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, maps_BMHW: Tensor | None) -> Restoration:
        """Do the same by maps that were drawn before: all of it that is a network."""
        tint_B311 = self.tint(occluded_B3HW, mask_B1HW, maps_BMHW)
        if tint_B311 is None:
            return self.stages(self.filled(occluded_B3HW, mask_B1HW), mask_B1HW, maps_BMHW)
        made = self.stages(self.filled(without_tint(occluded_B3HW, tint_B311), mask_B1HW), mask_B1HW, maps_BMHW)
        coloured = (with_tint(one_B3HW, tint_B311) for one_B3HW in made)
        return Restoration(*(as_colourless(one_B3HW, occluded_B3HW, mask_B1HW) for one_B3HW in coloured))

    def filled(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return the picture with its hole filled by eigenfaces, where the settings have any."""
        return occluded_B3HW if self.fill is None else self.fill(occluded_B3HW, mask_B1HW)

    def stages(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, maps_BMHW: Tensor | None) -> Restoration:
        """Do what `forward` does, of pictures that are prepared: in colours that the generators know, and filled."""
        coarse_B3HW = self.coarse(occluded_B3HW, mask_B1HW, maps_BMHW)
        return Restoration(coarse_B3HW, coarse_B3HW)

    def tint(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, maps_BMHW: Tensor | None = None) -> Tensor | None:
        """Return by how much the visible face is of another colour than that of the settings (B, 3, 1, 1)."""
        if self.config.face_colour is None:
            return None
        outlined_B1HW = None if maps_BMHW is None else maps_BMHW[:, :1]
        return tint(occluded_B3HW, mask_B1HW, self.config.face_colour, outlined_B1HW)

    def input(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return I_o (section 3.2), four channels: the occluded picture, its hole blanked on request, and the mask.

        A hole that eigenfaces have filled shows nothing of the occluder, and stays as it is.
        """
        blanks = self.config.blank_hole and self.fill is None
        seen_B3HW = occluded_B3HW * (1 - mask_B1HW) if blanks else occluded_B3HW
        return torch.cat([seen_B3HW, mask_B1HW], 1)

    def coarse(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, maps_BMHW: Tensor | None = None) -> Tensor:
        """Return I_o^i = G_1(I_o), the initial result of stage I (section 3.2).

        G_1 is shown the maps, where there are any. Where eigenfaces have filled the hole, it paints what has to be
        added to that.
        """
        image_B3HW: Tensor = self.base(with_maps(self.input(occluded_B3HW, mask_B1HW), maps_BMHW))
        return image_B3HW if self.fill is None else (occluded_B3HW + image_B3HW).clamp(-1, 1)


class StackedGAN(BaseNet):
    """The generators of both stages (figure 2): stage II sees the input of stage I and its output.

    `forward(occluded_B3HW, mask_B1HW)` gives a `Restoration`. Training runs `coarse` and `refined` one by one.
    """

    has_coarse = True

    def __init__(self, config: NetworkConfig, size_px: int) -> None:
        super().__init__(config, size_px)
        self.refine = Generator(input_channels(config) + 3, config)

    def stages(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, maps_BMHW: Tensor | None) -> Restoration:
        """Do what `forward` does, of pictures that are prepared."""
        coarse_B3HW = self.coarse(occluded_B3HW, mask_B1HW, maps_BMHW)
        return Restoration(coarse_B3HW, self.refined(occluded_B3HW, mask_B1HW, coarse_B3HW, maps_BMHW))

    def refined(
        self, occluded_B3HW: Tensor, mask_B1HW: Tensor, coarse_B3HW: Tensor, maps_BMHW: Tensor | None = None
    ) -> Tensor:
        """Return I_o^f = G_2(I_o, I_o^i), the final result of stage II (section 3.4); G_2 is shown the maps, too."""
        if self.config.refine_input == "composited":
            coarse_B3HW = composite(coarse_B3HW, occluded_B3HW, mask_B1HW)
        seen_B7HW = torch.cat([self.input(occluded_B3HW, mask_B1HW), coarse_B3HW], 1)
        image_B3HW: Tensor = self.refine(with_maps(seen_B7HW, maps_BMHW))
        return image_B3HW if self.fill is None else (coarse_B3HW + image_B3HW).clamp(-1, 1)


def with_maps(input_BCHW: Tensor, maps_BMHW: Tensor | None) -> Tensor:
    """Return what a network is given, the maps of landmarks last, where there are any."""
    return input_BCHW if maps_BMHW is None else torch.cat([input_BCHW, maps_BMHW], 1)


def initialise(model: BaseNet, generator: torch.Generator) -> None:
    """Draw all weights of convolutions with `generator`, in the order of definition; shifts are 0.

    From N(0, 0.02) where normalisation follows and makes the scale of no account; else after He et al. 2015, which
    keeps the scale of what passes through relus.
    """
    for part in model.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            if model.config.norm == "instance":
                nn.init.normal_(part.weight, 0.0, INITIAL_SPREAD, generator=generator)
            else:
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    if model.config.eigenfaces:  # what is added to a filling begins as nothing
        for paint in (part.paint for part in model.modules() if isinstance(part, Generator)):
            last = [part for part in paint.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)][-1]
            nn.init.zeros_(last.weight)
