"""Training data: real and synthetic pictures, faces and speech."""
