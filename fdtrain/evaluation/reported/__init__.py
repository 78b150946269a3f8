"""Tables of published figures, as CSV that `fdtrain audit` reads: facts, with their source in SOURCES.md."""
