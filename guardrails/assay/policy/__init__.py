"""Release policies and their check against a result."""
