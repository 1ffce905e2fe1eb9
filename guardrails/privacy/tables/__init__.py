"""Distances, predicates and risks shared by the attacks on tables."""
