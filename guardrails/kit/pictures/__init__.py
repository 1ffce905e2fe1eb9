"""Pictures: folders, bounds before decoding, descriptors, faces, image changes."""
