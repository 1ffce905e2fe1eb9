"""Parts of the video detector."""
