"""CelebA in its official layout: its pictures, and its lists of people and splits."""
