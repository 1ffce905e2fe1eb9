"""`faceswap`: an autoencoder with one encoder and two decoders that swaps faces."""
