"""Recognizers of personal data in texts."""
