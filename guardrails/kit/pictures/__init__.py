"""Pictures: folders, bounds before decoding, descriptors, faces, and the changes that pictures meet."""
