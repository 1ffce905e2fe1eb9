"""A benchmark of detectors on labelled files."""
