"""Exports of a dataset in formats that other tools read, one module per format."""
