"""The kinds of occluder. To add one: write its module, and put it here."""
