"""Typed settings in TOML: values with their laws; reading, overriding, writing. fdtrain uses it too."""
