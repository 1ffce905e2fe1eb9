"""Runs audits, scans and benchmarks: plans, controls, spikes, the journal, policies."""
