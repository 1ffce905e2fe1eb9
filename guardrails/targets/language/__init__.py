"""What targets with a language model share: the model, its tokenizer and chat template."""
