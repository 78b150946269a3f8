"""Networks of MediaPipe: `MODELS.md` says where they are from, `docs/make_networks.py` makes them."""
