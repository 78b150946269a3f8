"""What a picture goes through before the generators see it."""
