"""What these systems minimise, a module a system."""
