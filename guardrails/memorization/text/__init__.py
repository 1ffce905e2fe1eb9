"""Copies of texts: indices of a corpus, shared runs, canaries."""
