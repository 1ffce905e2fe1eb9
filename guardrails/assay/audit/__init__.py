"""Runs an audit: planning, collection, measurement, findings."""
