"""Game levels by a gated PixelCNN."""
