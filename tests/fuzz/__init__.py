"""Fuzzing: files of every kind that we read, damaged and forged by chance, opened in a process with limits."""
