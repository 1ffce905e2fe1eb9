"""What every family of detectors needs: linear heads, calibration, bounds, the protocol of a test."""
