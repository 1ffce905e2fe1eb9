"""Medical pictures (phantoms) by a variational autoencoder."""
