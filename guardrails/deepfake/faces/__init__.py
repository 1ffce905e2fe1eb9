"""Parts of the face-swap detector."""
