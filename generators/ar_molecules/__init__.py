"""Molecules as SMILES by a recurrent network (drug discovery)."""
