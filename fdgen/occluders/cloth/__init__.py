"""Fabric, patterns, prints, relief, drape: what masks, scarves and hats are made of."""
