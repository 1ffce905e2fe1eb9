"""Causal language models: log-probabilities, continuations, chat templates."""
