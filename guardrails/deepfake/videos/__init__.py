"""What the video detector is made of."""
