"""Memorization probes: does the model reproduce its training data?"""
