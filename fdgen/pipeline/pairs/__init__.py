"""A dataset of pairs that another program made."""
