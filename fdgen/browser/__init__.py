"""A page in the browser over a whole dataset, or two versions of one. Needs the standard library's web server alone."""
