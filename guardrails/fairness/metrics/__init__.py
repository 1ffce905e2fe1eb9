"""Rates by group, their gaps with intervals, and what gaps chance alone makes."""
