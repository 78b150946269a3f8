"""Models that measures read, each with a page on where it is from."""
