"""Reference generators: small generative models with dials for planted faults."""
