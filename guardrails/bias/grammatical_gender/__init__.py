"""Reads the grammatical gender that a translation gives to the person whom the English sentence names."""
