"""Where a dataset is written and listed: a folder of this machine, or objects behind a URL."""
