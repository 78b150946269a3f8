"""What `docs/make_starter.py` is made of: the photographs, the settings, the measures, the card."""
