"""Small photographs by a diffusion model."""
