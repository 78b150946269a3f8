"""A trained model used: by torch or onnxruntime, on crops of faces, and exported."""
