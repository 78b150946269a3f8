"""The folder on disk: shards, tables, checksums, names, invariants."""
