"""Files as they lie on disk, shared by both programs: written whole or not at all, and by one writer at a time."""
