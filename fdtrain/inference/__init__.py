"""Using trained models: by torch or onnxruntime, on crops of faces, and exported."""
