"""`vae-medical`: a variational autoencoder of medical pictures (phantoms)."""
