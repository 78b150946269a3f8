"""A baseline that is added is its network, its objective and one row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fdgen.runtime.load_by_name import load_by_name
from fdtrain.config.presets import PRESETS
from fdtrain.config.schema import BASELINES
from fdtrain.methods import LEARNED, baselines
from fdtrain.networks.restorer import Restorer
from fdtrain.objectives.base import Objective
from tests.support.paths import ROOT
from tests.support.sets import write_set

NETWORK = '''
"""One convolution."""

from torch import nn

from fdtrain.networks.restorer import Restoration, Restorer


class Single(Restorer):
    def __init__(self, config):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, config.width, 3, padding=1), nn.Conv2d(config.width, 3, 1), nn.Tanh())

    def forward(self, occluded_B3HW, mask_B1HW):
        image_B3HW = self.layers(occluded_B3HW * (1 - mask_B1HW))
        return Restoration(image_B3HW, image_B3HW)
'''

OBJECTIVE = '''
"""L1 in the hole, without an adversary that counts."""

from torch import nn

from fdtrain.objectives.base import Objective, adversaries, in_hole
from network_of_a_test import Single


class SingleObjective(Objective):
    def __init__(self, config, settings, perceptual):
        self.config, self.settings = config, settings
        self.model = Single(settings)
        self.stages = (adversaries(config, 0, self.model, nn.Conv2d(3, 1, 1)),)

    def outputs(self, batch):
        return self.model(batch.occluded_B3HW, batch.mask_B1HW).image_B3HW

    def discriminator_term(self, stage, batch, outputs):
        return None

    def generator_terms(self, stage, batch, outputs):
        l1 = in_hole((outputs.float() - batch.clean_B3HW).abs(), batch.mask_B1HW)
        return {"l1": l1, "total": l1}
'''

RUN = """
import json, sys
from pathlib import Path

from fdtrain.methods import LEARNED, Method, Training

LEARNED["single"] = Method(
    "single", "nobody 2026", "network_of_a_test:Single", "objective_of_a_test:SingleObjective",
    training=Training(4, 1000, (1e-3, 1e-3), (0.5, 0.999)), small={"baseline.width": 8},
)

from click.testing import CliRunner

from cli.fdtrain.main import program
from fdtrain.comparison.plan import Task, make_tasks, config_of
from fdtrain.training.checkpoint import load_model
from fdtrain.training.cost import size_of
from fdtrain.training.loop import fit
from tests.support.asks import ask_of

data, out = Path(sys.argv[1]), Path(sys.argv[2])
task = make_tasks(["single"], {}, seeds=1, size_px=64)[0]
config = config_of(ask_of(data, size_px=64, overrides=("training.precision=fp32",)), task, 32)
fit(config, out)
said = {
    "preset": task.what,
    "baseline": config.as_dict()["baseline"],
    "network": type(load_model(out / "weights" / "last.safetensors")).__name__,
    "parameters": size_of(config)[0],
    "help": CliRunner().invoke(program, ["compare", "--help"]).output,
    "presets": CliRunner().invoke(program, ["presets"]).output,
}
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


@pytest.mark.slow
def test_a_baseline_is_trained_and_compared_once_it_has_its_row(data: Path, tmp_path: Path) -> None:
    (tmp_path / "network_of_a_test.py").write_text(NETWORK, encoding="utf-8")
    (tmp_path / "objective_of_a_test.py").write_text(OBJECTIVE, encoding="utf-8")
    path = os.pathsep.join((str(ROOT), str(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(data), str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["preset"] == "single-64"
    assert said["baseline"] == {"width": 8, "discriminator_width": 64, "method": "single"}
    assert said["network"] == "Single"
    assert said["parameters"] == 8 * (3 * 9 + 1) + 3 * (8 + 1)
    assert ", single" in " ".join(said["help"].split())
    assert "nobody 2026, half as wide at 64 px" in " ".join(said["presets"].split())


def test_every_row_names_what_there_is() -> None:
    for name, method in LEARNED.items():
        assert issubclass(load_by_name(method.network), Restorer)
        assert issubclass(load_by_name(method.objective), Objective)
        assert name in PRESETS
        assert f"{name}-64" in PRESETS
    for name, method in baselines().items():
        assert load_by_name(method.settings) is BASELINES[name]
        assert BASELINES[name].model_fields["method"].default == name
