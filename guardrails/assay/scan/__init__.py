"""A scan of media files by detectors."""
