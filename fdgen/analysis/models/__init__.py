"""What was learned, as small files, each with a card beside it: from what, how well it does, where it fails."""
