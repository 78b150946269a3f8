"""Folders of the user's own occluders: opening, adding to, checking."""
