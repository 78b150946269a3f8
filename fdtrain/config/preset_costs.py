"""The cost of each preset, counted beforehand: building all networks needs torch and many seconds.

A test counts them again. `python -m tests.golden.preset_costs` writes the file again, after a preset or network
changed.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

FILE = "preset_costs.json"


def preset_costs() -> dict[str, dict[str, Any]]:
    """Return the fields of `fdtrain.training.cost.Cost` of every preset, by name."""
    costs: dict[str, dict[str, Any]] = json.loads(
        resources.files("fdtrain.config").joinpath(FILE).read_text(encoding="utf-8")
    )
    return costs
