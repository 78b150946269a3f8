"""Hoods and veils: cloth round the face and before it."""
