"""What a run begins with."""
