"""How code runs: processes, random numbers, caches. Imports only errors of this project."""
