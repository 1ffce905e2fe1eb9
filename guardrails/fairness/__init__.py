"""Probes that compare how decisions fall on groups of people."""
