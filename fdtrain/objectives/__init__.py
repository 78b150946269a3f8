"""What is minimised. A file a method: its stages, what they make of a batch, and the terms of either side."""
