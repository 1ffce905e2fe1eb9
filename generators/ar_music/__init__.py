"""Melodies in ABC notation by a recurrent network."""
