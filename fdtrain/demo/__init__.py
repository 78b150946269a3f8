"""A page in the browser on which anyone can try a model: photograph, mask, result. Needs gradio (the extra `demo`)."""
