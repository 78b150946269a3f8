"""How code runs: processes, and what they owe each other. Imports nothing of ours but errors."""
