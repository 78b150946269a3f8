"""Tests of `fdgen.transforms`."""
