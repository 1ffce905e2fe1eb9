"""Distances, predicates and risks that attacks on tables share."""
