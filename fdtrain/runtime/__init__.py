"""How code of training runs: what the processor can do, and what it is worth."""
