"""Copies of pictures: fingerprints, descriptors, thresholds, evidence."""
