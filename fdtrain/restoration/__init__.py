"""Restoring any photograph: frame, mask, fill, blend, files, video."""
