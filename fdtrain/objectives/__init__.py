"""The objectives, one file for each method: its stages, their outputs for a batch, and the terms of either side."""
