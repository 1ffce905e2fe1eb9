"""Prose by a small GPT."""
