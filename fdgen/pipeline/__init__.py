"""Triplets become a dataset: what is planned, who makes it, and what was found on the way."""
