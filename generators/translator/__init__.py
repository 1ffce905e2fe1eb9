"""Translations by a Transformer."""
