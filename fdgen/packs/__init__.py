"""Folders of occluders of the user's own: opening, adding to, checking."""
