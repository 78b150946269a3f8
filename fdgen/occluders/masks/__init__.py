"""Face masks and scarves."""
