"""Copies of molecules, melodies and levels."""
