"""Tests of trained detectors on data that was not used to train them."""
