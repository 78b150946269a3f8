"""How much of a crop may lie outside its photograph: what a recipe says of it where it says nothing."""

MAX_OUTSIDE = 0.15
"""Share of a crop that may lie outside the photograph and be mirrored, unless a recipe sets `faces.max_outside`."""

MOST_OUTSIDE = 0.5
"""The most that a recipe may allow."""
