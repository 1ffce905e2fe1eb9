"""`gpt-text`: a small GPT that writes prose."""
