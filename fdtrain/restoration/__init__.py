"""Any photograph restored: frame, mask, fill, blend, files, video."""
