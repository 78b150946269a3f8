"""Data cards and Croissant."""
