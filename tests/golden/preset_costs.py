"""What every preset costs. `python -m tests.golden.preset_costs` writes `fdtrain/preset_costs.json` anew."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from fdtrain.config.preset_costs import FILE
from fdtrain.config.presets import PRESETS
from fdtrain.config.schema import FitConfig
from fdtrain.training.cost import cost_of
from tests.support.paths import ROOT


def counted() -> dict[str, dict[str, Any]]:
    """Return the cost of every preset, billions of multiply-adds to six digits."""
    return {
        name: {**(cost := asdict(cost_of(FitConfig.load(name)))), "gmacs": round(cost["gmacs"], 6)} for name in PRESETS
    }


if __name__ == "__main__":
    path = ROOT / "fdtrain" / "config" / FILE
    path.write_text(json.dumps(counted(), indent=1) + "\n", encoding="utf-8")
