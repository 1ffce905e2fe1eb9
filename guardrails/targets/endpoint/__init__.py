"""Models behind an HTTP endpoint: how they are asked, and how a chat becomes a target that writes text."""

from __future__ import annotations

from .chat import Chat, ChatTexts, Decoding, Reply, Usage
from .endpoint import Endpoint
from .options import EndpointOptions, Patience

__all__ = ["Chat", "ChatTexts", "Decoding", "Endpoint", "EndpointOptions", "Patience", "Reply", "Usage"]
