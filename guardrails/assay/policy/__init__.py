"""Policies: limits, their origin, and how they turn measurements into findings."""
