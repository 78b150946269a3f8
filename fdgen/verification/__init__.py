"""Verification of a dataset: bytes, pixels, tables, replay."""
