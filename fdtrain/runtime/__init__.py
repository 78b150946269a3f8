"""How training code runs: devices, processes, random state, precision."""
