"""Headwear: hats, caps, beanies, headbands and surgical caps."""
