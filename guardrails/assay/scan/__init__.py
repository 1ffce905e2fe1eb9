"""Runs a scan of media files by detectors."""
