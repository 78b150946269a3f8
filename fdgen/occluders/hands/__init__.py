"""Hands with forearm, sleeve, jewellery."""
