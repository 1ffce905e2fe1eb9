"""Membership attacks on classifiers."""
