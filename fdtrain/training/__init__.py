"""Training: the loop, the cost of a step, and the decisions before the first step."""
