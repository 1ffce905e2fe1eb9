"""Paintings by a generative adversarial network."""
