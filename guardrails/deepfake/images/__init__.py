"""What the image detectors are made of."""
