"""Where the time of a step goes, and what the device could do in it."""
