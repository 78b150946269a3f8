"""Training without a dataset: photographs that get another occluder in every epoch."""
