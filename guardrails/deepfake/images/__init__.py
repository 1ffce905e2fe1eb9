"""Parts of the image detectors."""
