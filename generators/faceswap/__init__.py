"""Swapped faces by an autoencoder with one encoder and two decoders (deepfakes)."""
