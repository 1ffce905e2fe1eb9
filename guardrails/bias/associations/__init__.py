"""Association tests of embeddings: the statistic, the sets of words, and what embeds a text."""
