"""Speech by a source-filter model."""
