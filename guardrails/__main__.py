"""``python -m guardrails``: the same as the command ``guardrails``."""

from .cli import main

if __name__ == "__main__":
    main()
