from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._errors import unavailable


@dataclass(frozen=True)
class Principal:
    """The account and the key of a known key, also of a rejected one."""

    account_id: str
    key_id: str
    plan: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rate:
    """The tightest rate window: its limit, the calls left in it, and the Unix seconds at which it ends."""

    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True)
class Reply:
    """The response for the client. For an admitted call only headers is set, for the response of the handler."""

    headers: Mapping[str, str]
    status: int = 0
    body: bytes = b""


@dataclass(frozen=True)
class Decision:
    """The decision on a call.

    reason is for the vendor only: response has all that a client may see. identity has the header fields that state the verified
    caller to a back end, and identity_prefix the vendor's prefix of their names. public means that the route needs no key; principal is None then.
    """

    admitted: bool
    response: Reply
    public: bool = False
    code: str = ""
    reason: str = ""
    message: str = ""
    operation: str = ""
    family: str = ""
    principal: Principal | None = None
    rate: Rate | None = None
    credits: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    identity_prefix: str = ""


def parse(data: Any) -> Decision:
    """parse returns a complete decision. Any other value raises an error: it must never admit a call."""
    try:
        return _parse(data)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise unavailable("malformed_response", "The response of verify is not a decision. Check the url, and that both versions are equal.") from None


def _parse(data: Any) -> Decision:
    admitted, response = data["admitted"], data["response"]
    if not isinstance(admitted, bool):
        raise TypeError
    headers = _texts(response["headers"])
    if admitted:
        reply = Reply(headers)
    else:
        status = response["status"]
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError
        reply = Reply(headers, status, encode(response.get("body", {})))
    principal, rate = data.get("principal"), data.get("rate")
    if admitted and (data.get("public") is True) == bool(principal and principal["account_id"]):
        raise ValueError  # an admitted call has an account, or its route is public
    return Decision(
        admitted=admitted,
        response=reply,
        public=data.get("public", False) is True,
        code=data.get("code", ""),
        reason=data.get("reason", ""),
        message=data.get("message", ""),
        operation=data.get("operation", ""),
        family=data.get("family", ""),
        principal=None
        if principal is None
        else Principal(principal["account_id"], principal["key_id"], principal["plan"], tuple(principal.get("scopes") or ())),
        rate=None if rate is None else Rate(rate["limit"], rate["remaining"], rate["reset"]),
        credits=data.get("credits") or {},
        identity=_texts(data.get("identity") or {}),
        identity_prefix=str(data.get("identity_prefix") or ""),
    )


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """_texts returns header fields, and raises TypeError for a value that is not text."""
    if not all(isinstance(value, str) for value in fields.values()):
        raise TypeError
    return dict(fields)


def encode(body: Any) -> bytes:
    """encode returns the bytes of a body as Toksta itself sends them: characters of HTML are escaped."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()
