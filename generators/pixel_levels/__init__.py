"""`pixel-levels`: a gated PixelCNN of game levels."""
