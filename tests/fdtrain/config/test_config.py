"""Settings: what wins over what, what is refused and in which words, what a digest is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fdtrain.config.presets import DESCRIPTIONS, PRESETS
from fdtrain.config.schema import FitConfig, is_free
from fdtrain.errors import ConfigError


def test_faithful_is_the_paper_to_the_letter() -> None:
    """Sections 3.2, 4.1 and 4.2, and the readings of what they leave open."""
    config = FitConfig.load("faithful")
    assert config.data.size_px == 256
    assert (config.training.batch, config.training.epochs, config.training.images) == (10, 1000, None)
    assert (config.training.lr_generator, config.training.lr_discriminator) == (1e-4, 4e-4)
    assert (config.loss.alpha, config.loss.beta, config.loss.gamma) == ((100, 10), (33, 3.3), (1, 1))
    assert (config.loss.adversarial, config.loss.perceptual) == ("minimax", "vgg19")
    assert config.loss.perceptual_layers == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    assert config.discriminator.window == "rf32"
    assert not config.discriminator.spectral_norm
    assert (config.network.order, config.network.tanh_ends) == ("act-conv-norm", True)
    assert config.network.strides == (2, 2, 2, 2, 2)
    assert not config.network.blank_hole
    assert config.loss.hole_weight == 1
    assert config.training.ema_decay is None
    assert config.training.total_images(18_000) == 18_000_000


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_described_and_come_back_from_toml(name: str, tmp_path: Path) -> None:
    config = FitConfig.load(name)
    assert config.preset == name
    assert DESCRIPTIONS[name]
    file = tmp_path / "config.toml"
    file.write_text(config.to_toml())
    assert FitConfig.load(name, file) == config
    assert FitConfig.from_dict(config.as_dict()) == config
    if config.is_stack:
        assert config.data.size_px // config.network.reduction >= 8


def test_later_wins(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 4\n[training]\nbatch = 7\nlr_generator = 1e-3\n")
    config = FitConfig.load("tiny", file, ["training.batch=9", ("training.batch", 11)])
    assert (config.seed, config.training.lr_generator, config.training.batch) == (4, 1e-3, 11)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("training.lr_generator=1e-4", "training.lr_generator", 1e-4),
        ("training.lr_generator=2E-3", "training.lr_generator", 2e-3),
        ("loss.hole_weight=.5e1", "loss.hole_weight", 5.0),
        ("data.kinds=['mask','hand']", "data.kinds", ["mask", "hand"]),
        ("data.kinds=none", "data.kinds", None),
        ("loss.adversarial=lsgan", "loss.adversarial", "lsgan"),
        ("machine.device=cuda:1", "machine.device", "cuda:1"),
        ("training.clip_norm=none", "training.clip_norm", None),
    ],
)
def test_overrides_read_values_as_meant(override: str, key: str, value: Any) -> None:
    assert FitConfig.load("tiny", overrides=[override]).flat()[key] == value


def test_landmarks_want_occluders_of_the_face_itself() -> None:
    assert FitConfig.load("modern-64").data.mix == 0.8
    assert FitConfig.load("modern-64", overrides=["network.landmarks=true"]).data.mix == 0.0
    assert FitConfig.load("modern-64", overrides=["network.landmarks=true", "data.mix=0.2"]).data.mix == 0.2


def test_saying_images_unsays_epochs() -> None:
    assert FitConfig.load("faithful", overrides=["training.images=100"]).training.epochs is None
    assert FitConfig.load("tiny", overrides=["training.epochs=3"]).training.total_images(11) == 48  # whole steps


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.bach=3", "there is no setting 'training.bach', did you mean 'training.batch'?"),
        ("bacth=3", "did you mean 'training.batch'?"),
        ("training=3", "training is a table of settings"),
        ("training.batch", "not of the form KEY=VALUE"),
        ("training.batch=many", "training.batch must be a whole number, got 'many'"),
        ("training.batch=1.5", "training.batch must be a whole number, got 1.5"),
        ("data.verify=1", "data.verify must be true or false, got 1"),
        ("loss.hole_weight=0.5", r"loss.hole_weight must be 1 or more, got 0.5"),
        ("loss.adversarial=wgan", "loss.adversarial must be one of 'minimax', 'nonsaturating', 'hinge' or 'lsgan'"),
        ("network.widths=[8,8]", r"network.widths must have 5 values, one a layer, got \[8, 8\]"),
        ("network.strides=[3,1,1,1,1]", r"must have strides of 1 or 2, got \[3, 1, 1, 1, 1\]"),
        ("loss.alpha=[1]", "loss.alpha must have two values"),
        ("data.size_px=100", "must have a data.size_px that network.strides divide"),
        ("data.size_px=16", "must leave a bottleneck of 4 px or more, got 2"),
        ("machine.device=tpu", "machine.device must be auto, cpu, mps, cuda or cuda:N, got 'tpu'"),
        ("training.images=none", "must set one of epochs and images"),
        ("training.cooldown_images=90000000", "must have training.images with cooldown_images, and as many at least"),
        ("network.face_colour=[0.4, 0.3]", r"network.face_colour must have three values, of red, green and blue"),
        ("network.face_colour=[0.4, 0, 0.3]", "network.face_colour"),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_the_law(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        FitConfig.load("tiny", overrides=[override])
    assert raised.value.hint


def test_a_file_at_fault_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    for text, words in (("[training]\nbatch = 0\n", "batch"), ("[training]\nbach = 1\n", "bach"), ("a b", "TOML")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=words) as raised:
            FitConfig.load("tiny", file)
        assert str(file) in raised.value.message
    with pytest.raises(ConfigError, match=r"nothing\.toml cannot be read"):
        FitConfig.load("tiny", tmp_path / "nothing.toml")


def test_the_digest_is_of_what_reaches_a_weight() -> None:
    base = FitConfig.load("tiny").digest()
    for free in ("output.keep=5", "training.images=99", "machine.workers=2", "output.tensorboard=true"):
        assert FitConfig.load("tiny", overrides=[free]).digest() == base
        assert is_free(free.partition("=")[0])
    for other in ("seed=1", "loss.ssim=0.5", "data.augment=mild", "machine.threads=3"):
        assert FitConfig.load("tiny", overrides=[other]).digest() != base


def test_paths_are_never_written_down() -> None:
    config = FitConfig.load("tiny", overrides=[("data.root", "/a/b"), ("loss.perceptual_weights", "/c/d")])
    assert (config.data.root, config.loss.perceptual_weights) == ("/a/b", "/c/d")
    assert "/a/b" not in config.to_toml() + str(config.as_dict())
    assert "/c/d" not in config.to_toml() + str(config.as_dict())


def test_configs_do_not_change() -> None:
    config = FitConfig.load("tiny")
    with pytest.raises(ValidationError):
        config.training.batch = 3  # type: ignore[misc]
