"""What the face detector is made of."""
