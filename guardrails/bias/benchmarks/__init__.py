"""Readers of published benchmarks in their own formats, one file for each."""
