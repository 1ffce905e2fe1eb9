"""Runs a benchmark of detectors on labelled files."""
