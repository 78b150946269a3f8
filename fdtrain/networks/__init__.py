"""The networks, one file for each model; `blocks` has their common parts."""
