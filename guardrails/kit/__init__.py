"""Utilities for probes, detectors and generators: bounded readers, features, training, scoring."""
