"""`diffusion-photo`: a diffusion model of small photographs."""
