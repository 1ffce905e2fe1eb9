"""Sentences that are compared by their log-probabilities: items, scorers, statistics of preferences."""
