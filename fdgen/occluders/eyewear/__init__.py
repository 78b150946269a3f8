"""Sunglasses and eyeglasses."""
