"""What the speech detectors are made of."""
