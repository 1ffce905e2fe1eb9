"""Shared parts of detectors: linear heads, calibration, bounds, the test protocol."""
