"""Material to train on: real and synthetic pictures, faces and speech."""
