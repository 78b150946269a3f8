"""Versions of a dataset: lock, snapshot, difference, drift, reproduction."""
