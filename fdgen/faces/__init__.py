"""Photographs in: folders and lists of faces, landmark detection, and the cache of what was detected."""
