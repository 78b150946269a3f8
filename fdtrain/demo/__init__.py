"""A web page on which anyone can try a model: photograph, mask, result. Needs gradio (the extra `demo`)."""
