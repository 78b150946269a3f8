"""The user's own occluders, one module for each form."""
