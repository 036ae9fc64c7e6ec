"""Who writes an answer: any endpoint that speaks the OpenAI chat format."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any, Protocol
from urllib.parse import urlsplit

from plait.errors import GenerateError, InputError
from plait.rag.prompt import Message

_MAX_REPLY_BYTES = 4_000_000
KEY_VARIABLE = "PLAIT_LLM_KEY"


class Generator(Protocol):
    """Writes a text from chat messages."""

    @property
    def name(self) -> str: ...

    def write(self, messages: Sequence[Message]) -> str:
        """Return what the model wrote.

        Raises:
            GenerateError: it wrote nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """A chat model behind an OpenAI-compatible URL, such as a local llama.cpp, Ollama or vLLM server.

    Attributes:
        url: up to and including the version ("http://127.0.0.1:11434/v1"); "/chat/completions" is added
            unless it is there.
        model: the name the server knows it by.
        api_key: sent as a bearer token; "" takes the environment variable PLAIT_LLM_KEY, if set.
        timeout_seconds: for the whole exchange.
        max_tokens: longest answer.

    Raises:
        InputError: the URL is not http or https, or no model is named.
    """

    url: str
    model: str
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 120.0
    max_tokens: int = 800

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"llm_url must look like http://127.0.0.1:8080/v1, got {self.url!r}")
        if not self.model:
            raise InputError("llm_url is set but llm_model is not: name the model that the endpoint serves")

    @property
    def name(self) -> str:
        return self.model

    def write(self, messages: Sequence[Message]) -> str:
        """Return what the model wrote.

        Raises:
            GenerateError: the endpoint cannot be reached, is too slow, refuses, or sends no text.
        """
        body = {
            "model": self.model,
            "messages": list(messages),
            "max_tokens": self.max_tokens,
            "temperature": 0.0,
            "stream": False,
        }
        return self._said(self._post(json.dumps(body).encode()))

    def _post(self, body: bytes) -> bytes:
        address = self._address()
        request = urllib.request.Request(address, data=body, headers=self._headers(), method="POST")
        deadline = time.monotonic() + self.timeout_seconds
        try:
            with _opener(address).open(request, timeout=self.timeout_seconds) as reply:
                return _read(reply, deadline)
        except urllib.error.HTTPError as error:
            with error:
                detail = " ".join(error.read(2000).decode("utf-8", "replace").split())[:300]
            raise GenerateError(
                f"{address} answered {error.code} {error.reason}: {detail or 'no reason given'}; "
                f"check llm_url, llm_model and {KEY_VARIABLE}"
            ) from error
        except TimeoutError as error:
            raise self._too_slow(address) from error
        except (urllib.error.URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise self._too_slow(address) from error
            raise GenerateError(
                f"cannot reach {address} ({reason}): is the server running, and is llm_url right?"
            ) from error

    def _address(self) -> str:
        base = self.url.rstrip("/")
        return base if base.endswith("/chat/completions") else f"{base}/chat/completions"

    def _headers(self) -> dict[str, str]:
        key = self.api_key or os.environ.get(KEY_VARIABLE, "")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return {**headers, "Authorization": f"Bearer {key}"} if key else headers

    def _said(self, reply: bytes) -> str:
        try:
            text = json.loads(reply)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            begin = reply[:120].decode("utf-8", "replace")
            raise GenerateError(
                f"{self._address()} did not answer in the OpenAI chat format (it began {begin!r}): "
                "point llm_url at the server's /v1"
            ) from error
        if not isinstance(text, str) or not text.strip():
            raise GenerateError(f"{self.model} wrote an empty answer: try again, or another model")
        return text.strip()

    def _too_slow(self, address: str) -> GenerateError:
        return GenerateError(
            f"{address} did not finish within {self.timeout_seconds:g} s: try a smaller model, or fewer hits"
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses to follow: a redirect would carry the key and the documents to an address nobody chose."""

    def redirect_request(self, *args: Any) -> None:
        return None


def _opener(address: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1"):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine's loopback
    return urllib.request.build_opener(*handlers)


def _read(reply: HTTPResponse, deadline: float) -> bytes:
    """Return the whole body; a server that sends it drop by drop does not outlast the deadline."""
    data = bytearray()
    while chunk := reply.read1(65536):
        data += chunk
        if len(data) > _MAX_REPLY_BYTES:
            raise GenerateError(
                f"the answering model sent more than {_MAX_REPLY_BYTES / 1e6:g} MB: not an answer"
            )
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(data)
