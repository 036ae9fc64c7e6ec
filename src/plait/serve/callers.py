"""Who is calling, what they may do, and what their request turned out to be about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from starlette.requests import Request

from plait.serve.refusals import Refusal

Right = Literal["search", "add", "remove", "admin"]
RIGHTS: tuple[Right, ...] = get_args(Right)
OWNER_NAME = "owner"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a key.

    Attributes:
        name: of the key, for the audit log; never the key itself.
        tenant: whose documents they see; "" is the owner of the library.
        rights: "search" also reads what is stored; "add" and "remove" change documents; "admin" sees
            metrics.
    """

    name: str
    tenant: str = ""
    rights: frozenset[Right] = frozenset(RIGHTS)


OWNER = Caller(OWNER_NAME)


def caller_of(request: Request) -> Caller:
    """Return who sent a request, as the guard found out."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


def allowed(request: Request, right: Right) -> Caller:
    """Return who sent a request, if they may do what it asks.

    Raises:
        Refusal: 403, they may not.
    """
    caller = caller_of(request)
    if right not in caller.rights:
        raise Refusal(403, "Forbidden", f"this key has no right to {right}; ask for one that has")
    return caller


def concerns(request: Request, *ids: str) -> None:
    """Tell the audit log which documents, units or jobs a request is about; those in its path it knows."""
    about = getattr(request.state, "about", ())
    request.state.about = (*about, *ids)
