"""Membership attacks on language models."""
