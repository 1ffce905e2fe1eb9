"""Parts of the probe of generated pictures."""
