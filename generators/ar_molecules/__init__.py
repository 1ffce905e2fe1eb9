"""`ar-molecules`: a recurrent network that writes molecules as SMILES."""
