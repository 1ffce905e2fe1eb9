"""Parts of the speech detectors."""
