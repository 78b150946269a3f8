"""Pictures: their headers read before anything decodes them, codecs, contact sheets. RGB uint8 arrays."""
