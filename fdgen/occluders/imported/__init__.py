"""Occluders of the user's own, a module a form."""
