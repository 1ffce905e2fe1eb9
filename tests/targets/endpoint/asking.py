"""How the tests ask the server on loopback."""

from __future__ import annotations

from guardrails.targets.endpoint import Decoding, Endpoint, EndpointOptions, Patience, Reply

from .fault_server import Server

PATIENT = Patience(connect=10, read=10, total=20, attempts=3, first_wait=0.001, longest_wait=1.0)
"""For tests that count requests: a busy machine answers late, and after a time-out a request is sent again."""
QUICK = Patience(connect=5.0, read=0.5, total=1.0, attempts=3, first_wait=0.001, longest_wait=1.0)
"""For tests of time-outs."""
DECODING = Decoding(max_new_tokens=8)


def endpoint(server: Server, scheme: str = "openai", patience: Patience = PATIENT, **options: object) -> Endpoint:
    return Endpoint(f"{scheme}:{server.url}#m", EndpointOptions.model_validate(options), patience=patience)


def ask(model: Endpoint, *prompts: str, seed: int = 0) -> list[Reply]:
    return model.reply([[{"role": "user", "content": prompt}] for prompt in prompts], DECODING, seed)
