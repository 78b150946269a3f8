"""The settings of the loop: steps, rates, which weights are the best, what is written when, and where it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from fdgen.settings.values import (
    Count,
    Number,
    Positive,
    Section,
    at_least,
    listed,
    none_from_text,
    of_length,
    within,
)

Betas = Annotated[tuple[Annotated[Number, within(0, 0.9999)], ...], BeforeValidator(listed), of_length(2, "two values")]


class TrainingConfig(Section):
    """Sections 4.1 and 4.2."""

    # Pictures of a step over all processes.
    batch: Count = 10
    # In so many parts a process takes its share of a batch through the networks, one after another; their gradients add
    # up. A step needs the memory of a part, and up to twice the time of generators: where there are discriminators,
    # these see all parts first. It is the step of the whole batch but for batch statistics, dropout and losses that are
    # no means over pictures, which are those of each part.
    accumulate: Count = 1
    # One of the two says when training is done.
    epochs: Annotated[Count | None, BeforeValidator(none_from_text)] = 1000
    images: Annotated[Count | None, BeforeValidator(none_from_text)] = None
    # Two time-scale update rule: a faster discriminator.
    lr_generator: Positive = 1e-4
    lr_discriminator: Positive = 4e-4
    betas: Betas = (0.5, 0.999)
    # Rates rise over so many images, and fall as 1 / sqrt(images / this) after so many; none keeps them constant.
    # Neither depends on when training ends, so that a run can be prolonged.
    warmup_images: Annotated[int, at_least(0)] = 0
    decay_from_images: Annotated[Count | None, BeforeValidator(none_from_text)] = None
    # Over the last so many images rates fall to zero in a straight line, too: what they leave unsettled is settled. A
    # run that is prolonged has its rates rise again, and is better prolonged from a checkpoint before the fall.
    cooldown_images: Annotated[int, at_least(0)] = 0
    # "trains both stage models alternatively": in each step one after the other, with no gradient from stage II to I.
    # Or the Base-Net alone, without a stage II, as in tables 2 and 3.
    stages: Literal["detached", "joint", "base"] = "detached"
    # Largest norm of a network's gradient; none does not clip.
    clip_norm: Annotated[Positive | None, BeforeValidator(none_from_text)] = None
    # Moving average of the generators, which is what is evaluated and kept; none uses the last weights.
    ema_decay: Annotated[Annotated[Number, within(0, 0.99999)] | None, BeforeValidator(none_from_text)] = None
    # The paper names none. `auto` takes the faster one on this machine, by timed steps: bf16 halves a step on a GPU, or
    # a processor that has it, and takes many times as long where it is emulated. A run keeps what it began with.
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool = False
    # Begin with the weights of this file or run folder, not with drawn ones; networks may differ in their head. Its
    # hash is written down, its path is not.
    start_from: str = Field(default="", exclude=True)
    # Which weights a run's folder means, in every command: the best on the validation split by its score (PSNR in the
    # hole, IoU of a mask network; neither sees what the adversary adds), by the distance of the perceptual network that
    # the losses use, or the last.
    best_by: Literal["score", "perceptual", "last"] = "score"
    # Stop where no validation was better for so many images; none trains to the end.
    patience_images: Annotated[Count | None, BeforeValidator(none_from_text)] = None

    @model_validator(mode="after")
    def _ends_once(self) -> TrainingConfig:
        if (self.epochs is None) == (self.images is None):
            raise ValueError(f"must set one of epochs and images, got {self.epochs} and {self.images}")
        return self

    @model_validator(mode="after")
    def _cools_down_before_an_end(self) -> TrainingConfig:
        if self.cooldown_images and (self.images is None or self.cooldown_images > self.images):
            raise ValueError(
                "must have training.images with cooldown_images, and as many at least, "
                f"got {self.images} and {self.cooldown_images}"
            )
        return self

    @model_validator(mode="after")
    def _waits_for_something(self) -> TrainingConfig:
        if self.patience_images is not None and self.best_by == "last":
            raise ValueError("must have a best_by other than last with patience_images: nothing says what is better")
        return self

    @model_validator(mode="after")
    def _has_equal_parts(self) -> TrainingConfig:
        if self.batch % self.accumulate:
            raise ValueError(f"must have a batch that accumulate divides, got {self.batch} and {self.accumulate}")
        return self

    @property
    def at_once(self) -> int:
        """Pictures that go through the networks together, where one process trains."""
        return self.batch // self.accumulate

    @property
    def smaller_step(self) -> str:
        """The options with which a step needs less memory: the same batch in more parts, or a smaller batch."""
        more = [n for n in range(self.accumulate + 1, self.batch + 1) if self.batch % n == 0]
        parts = f"--set training.accumulate={more[0]}, or " if more else ""
        return f"{parts}--set training.batch={max(self.batch // 2, 1)}"

    @property
    def n_stages(self) -> int:
        """How many stages there are: of the pairs of settings, only so many are looked at."""
        return 1 if self.stages == "base" else 2

    def total_images(self, n_train: int) -> int:
        """Return the images to train on, rounded up to whole steps; `n_train` is the size of the train split."""
        wanted = self.images if self.images is not None else (self.epochs or 0) * n_train
        return -(-wanted // self.batch) * self.batch


class OutputConfig(Section):
    """How often what is written, in training images; nothing here changes a weight."""

    stats_images: Count = 1_000
    checkpoint_images: Count = 20_000
    validation_images: Count = 20_000
    sample_images: Count = 20_000
    # Checkpoints to keep in addition to the best one.
    keep: Count = 2
    # Pictures on a sheet of samples, and at most used for one validation.
    samples: Annotated[int, within(1, 64)] = 8
    validation_limit: Count = 500
    # Where the numbers of stats.jsonl and the sheets go, too, below the run's folder and without a network unless the
    # environment names a server: TensorBoard, or of the extra `trackers` Weights & Biases (offline) or MLflow.
    tracker: Literal["none", "tensorboard", "wandb", "mlflow"] = "none"
    # The same as tracker = "tensorboard", by the name that it had first.
    tensorboard: bool = False

    @model_validator(mode="after")
    def _one_tracker(self) -> OutputConfig:
        if self.tensorboard and self.tracker not in ("none", "tensorboard"):
            raise ValueError(f"must have one tracker, got tensorboard and {self.tracker}")
        return self

    @property
    def tracks(self) -> str:
        """The tracker, by either setting."""
        return "tensorboard" if self.tensorboard else self.tracker


class MachineConfig(Section):
    """Where it runs. Threads are settled when a run begins, since sums depend on them."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    # 0 leaves it to torch.
    threads: Annotated[int, at_least(0)] = 0
    # Processes that read and augment; 0 does it in the training process. None takes as many as keep a GPU busy, where
    # the machine has cores and shared memory for them, and 0 where the CPU trains. Batches are the same for any number.
    workers: Annotated[Annotated[int, at_least(0)] | None, BeforeValidator(none_from_text)] = None
    # Kernels that give the same bits each time. False takes the fastest of a GPU, timed in the first steps (cuDNN's
    # benchmark): the bits of a run are then its own. The CPU's are repeatable either way.
    deterministic: bool = True
    # Compile networks by torch.compile: the first steps take minutes, later ones less, and bits are others.
    compile: bool = False
