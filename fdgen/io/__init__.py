"""Files as they lie on disk: read through one gate, written whole and in their folder, by one writer at a time."""
