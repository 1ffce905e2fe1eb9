"""Targets behind an HTTP endpoint: requests, retries, budgets, and chats as targets that write text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.conversations import Chat, Decoding, Reply, Usage
from ..chat_texts import ChatTexts
from .options import EndpointOptions, Patience

if TYPE_CHECKING:
    from .endpoint import Endpoint

__all__ = ["Chat", "ChatTexts", "Decoding", "Endpoint", "EndpointOptions", "Patience", "Reply", "Usage"]


def __getattr__(name: str) -> Any:
    if name == "Endpoint":  # options are read for every audit, and need no HTTP client
        from .endpoint import Endpoint

        return Endpoint
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
