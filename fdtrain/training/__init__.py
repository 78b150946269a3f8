"""Training, around the loop: what a step costs, and what is decided before the first one."""
