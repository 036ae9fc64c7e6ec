"""The chat endpoint that really listens, as the answers' tests have it."""

from tests.rag.conftest import chat

__all__ = ["chat"]
