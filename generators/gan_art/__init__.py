"""`gan-art`: a generative adversarial network of paintings."""
