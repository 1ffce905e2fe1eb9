"""Shared parts of language-model targets: the model, its tokenizer and chat template."""
