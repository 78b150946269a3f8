"""Cup, microphone, phone, hat, shape, and the grip that holds them."""
