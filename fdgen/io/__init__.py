"""Files on disk: read through one gate, written completely and in their folder, by one writer at a time."""
