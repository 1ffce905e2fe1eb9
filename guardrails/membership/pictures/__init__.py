"""Membership attacks on generators of pictures."""
