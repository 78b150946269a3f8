"""What a photograph shows: pose, light, optics, noise, JPEG, hair, accessories already present."""
