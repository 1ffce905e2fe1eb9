"""`translator`: a Transformer that translates English into Spanish or German."""
