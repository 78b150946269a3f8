"""Whether a dataset is what it says: bytes, pixels, tables, replay."""
