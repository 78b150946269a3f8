"""What a data card says before anybody edits it."""
