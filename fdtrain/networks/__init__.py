"""The networks. A file a model; `blocks` holds what they are made of."""
