"""How the tests ask the server on loopback."""

from __future__ import annotations

from guardrails.targets.endpoint import Decoding, Endpoint, EndpointOptions, Patience, Reply

from .fault_server import Server

QUICK = Patience(connect=1.0, read=0.3, total=0.6, attempts=3, first_wait=0.001, longest_wait=1.0)
DECODING = Decoding(max_new_tokens=8)


def endpoint(server: Server, scheme: str = "openai", patience: Patience = QUICK, **options: object) -> Endpoint:
    return Endpoint(f"{scheme}:{server.url}#m", EndpointOptions.model_validate(options), patience=patience)


def ask(model: Endpoint, *prompts: str, seed: int = 0) -> list[Reply]:
    return model.reply([[{"role": "user", "content": prompt}] for prompt in prompts], DECODING, seed)
