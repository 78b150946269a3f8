"""The Hub of Hugging Face: weights and datasets by name, and what is sent there."""
