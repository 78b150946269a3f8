"""The text of a data card before anybody edits it."""
