"""Tests of trained detectors on material that trained none of them."""
