"""The part of the middleware that WSGI and ASGI share: it asks for the decision, fails closed, and names the header fields of
requests that must not reach an application."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Union

from ._client import Toksta
from ._decision import Decision, Reply, encode

_LOG = logging.getLogger("toksta")
# In the form of fold: fields with a verified value, and fields that state another method, target or part of the path.
_REPLACED = {
    "http2-settings", "x-request-id", "x-trace-id", "traceparent", "x-rewrite-url", "x-http-method-override", "x-http-method", "x-method-override",
    "script-name", "x-script-name", "path-info", "daphne-root-path",
}  # fmt: skip
# With these fields of a client, Gunicorn and Daphne have moved a part of the decided path out of the path on which frameworks route.
_MOVES_PATH = ("script_name", "script-name", "path_info", "daphne-root-path")
_LISTS = {"access-control-expose-headers", "vary"}
_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def fold(name: str) -> str:
    """fold returns a field name as CGI and some servers compare it: lower case, "-" for every other character."""
    return re.sub(r"[^a-z0-9]", "-", name.lower())


class Guard:
    """Decides on requests for one middleware. It keeps no decision: see the README.

    context is the environ of WSGI or the scope of ASGI, for the functions among the options.
    """

    def __init__(
        self,
        toksta: Toksta,
        *,
        operation: str | Callable[[Any], str | None] | None = None,
        credits: int | Callable[[Any], int | None] | None = None,
        hold: Callable[[Any], Mapping[str, Any] | None] | None = None,
        proxies: Sequence[str] = (),
        address: Callable[[Any], str | None] | None = None,
        keep_authorization: bool = False,
    ) -> None:
        if address is not None and proxies:
            raise ValueError("toksta: set address or proxies, not both.")
        self.toksta = toksta
        self._operation = operation
        self._credits = credits
        self._hold = hold
        self._proxies = [ipaddress.ip_network(network) for network in proxies]
        self._address = address
        self._keep_authorization = keep_authorization
        self._prefix = "X-Toksta-"  # of the last admitted call

    def check(self, method: str, target: str, peer: str, lines: Callable[[str], list[str]], context: Any, timeout: float | None = None) -> Decision:
        """check decides on a request in plain values and never raises. lines(name) returns the values of a header field."""
        try:
            for name in _MOVES_PATH:
                if lines(name):
                    return self.failed(400, "BAD_REQUEST", f"The field {name} states a part of the path: remove it.", lines)
            address = self._address(context) if self._address is not None else self._client(peer, lines("x-forwarded-for"))
            if address is None and self._address is None:
                return self.failed(400, "BAD_REQUEST", "X-Forwarded-For contains an element that is not an address.", lines)
            agent = _joined(lines("user-agent"))
            operation = self._operation(context) if callable(self._operation) else self._operation
            decision = self.toksta.verify(
                operation=operation or None,
                method=None if operation else method,
                target=None if operation else target,
                authorization=_joined(lines("authorization")),
                address=address or None,
                agent=None if agent is None else agent[:256],
                request_id=_joined(lines("x-request-id")),
                traceparent=_joined(lines("traceparent")),
                trace_id=_joined(lines("x-trace-id")),
                credits=self._credits(context) if callable(self._credits) else self._credits,
                hold=None if self._hold is None else self._hold(context),
                timeout=timeout,
            )
            self._prefix = decision.identity_prefix or self._prefix
            return decision
        except Exception as error:  # a call without a decision must not pass
            return self.unavailable(error, lines)

    def unavailable(self, error: BaseException, lines: Callable[[str], list[str]]) -> Decision:
        """unavailable logs the error and returns the decision on a call that Toksta did not decide."""
        hint = getattr(error, "hint", "")
        _LOG.error("a call is rejected with 503: %s%s", error, f" Hint: {hint}." if hint else "")
        return self.failed(503, "UNAVAILABLE", "The service cannot verify keys at the moment. Try again shortly.", lines)

    def failed(self, status: int, code: str, message: str, lines: Callable[[str], list[str]]) -> Decision:
        """failed makes the only responses that this package makes itself. It keeps a safe request id of the client."""
        sent = lines("x-request-id")
        request_id = sent[0] if len(sent) == 1 and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent[0]) else _request_id()
        headers = {
            "Cache-Control": "no-store",
            "Content-Type": "application/json",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            self._prefix + "Source": "gateway",
        }
        if status == 503:
            headers["Retry-After"] = "1"
        body = {"success": False, "error": {"code": code, "message": message}, "meta": {"request_id": request_id}}
        return Decision(admitted=False, code=code, message=message, response=Reply(headers, status, encode(body)))

    def kept(self, name: str, value: str, decision: Decision, traceparent: list[str]) -> str | None:
        """kept returns the value of a field of the client that may reach the application, or None. A field that states an
        identity, or another method or target than the decided ones, may not, nor one that is replaced by a verified value.
        traceparent is that of the client."""
        folded = fold(name)
        if folded == "authorization" and not self._keep_authorization:
            return None
        if folded == "connection":
            # A proxy behind the application would remove the verified fields that Connection names.
            return ", ".join(o for o in map(str.strip, value.split(",")) if o and not _states_identity(fold(o), decision)) or None
        if folded == "upgrade" and value.lower() != "websocket":
            return None  # another protocol, such as h2c, could carry further requests without a decision
        if folded == "tracestate" and traceparent != [decision.identity.get("Traceparent")]:
            return None  # it belongs to the client's own Traceparent
        if _states_identity(folded, decision) or folded in _REPLACED or folded.startswith("x-original-"):
            return None
        return value

    def _client(self, peer: str, lines: Iterable[str]) -> str | None:
        """_client returns the client's address: that of the peer or, if the peer is a trusted proxy, the last element of
        X-Forwarded-For that is not one. It returns None if a malformed element would decide, and "" if the peer has none."""
        try:
            address = _plain(peer)
        except ValueError:
            return ""
        hops = [e.strip() for line in lines for e in line.split(",") if e.strip()]
        while hops and any(address in network for network in self._proxies):
            try:
                address = _hop(hops.pop())
            except ValueError:
                return None
        return str(address)


def _states_identity(folded: str, decision: Decision) -> bool:
    """_states_identity reports whether only a decision may set a field."""
    prefixes = ("x-toksta-", fold(decision.identity_prefix or "X-Toksta-"))
    return folded.startswith(prefixes) or any(fold(name) == folded for name in decision.identity)


def merged(headers: Iterable[tuple[str, str]], decision: Decision) -> list[tuple[str, str]]:
    """merged returns the header of an application's response with the fields of the decision: lists are joined, others replaced."""
    ours = {name.lower(): (name, value) for name, value in decision.response.headers.items() if name.lower() != "content-length"}
    out = []
    for name, value in headers:
        if name.lower() in _LISTS and name.lower() in ours:
            mine = ours.pop(name.lower())
            out.append((name, f"{value}, {mine[1]}"))
        elif name.lower() not in ours:
            out.append((name, value))
    return out + list(ours.values())


def rejection(decision: Decision) -> tuple[int, list[tuple[str, str]], bytes]:
    """rejection returns the response to a call that is not admitted."""
    headers = [(name, value) for name, value in decision.response.headers.items() if name.lower() != "content-length"]
    return decision.response.status, [*headers, ("Content-Length", str(len(decision.response.body)))], decision.response.body


def _plain(text: str) -> _Address:
    """_plain parses an address and removes its zone and the IPv6 form of IPv4."""
    address = ipaddress.ip_address(text.split("%", 1)[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _hop(element: str) -> _Address:
    """_hop parses an element of X-Forwarded-For: an address with or without a port or, in IPv6, brackets."""
    brackets = re.fullmatch(r"\[([^\]]*:[^\]]*)\](?::\d{1,5})?", element)
    if brackets is not None:
        return _plain(brackets[1])
    return _plain(re.sub(r"^(\d+\.\d+\.\d+\.\d+):\d{1,5}$", r"\1", element))


def ascii_target(target: str) -> str:
    """ascii_target escapes the bytes of a target outside ASCII, which has each byte as one character: JSON has no bytes."""
    return re.sub(r"[^\x00-\x7f]", lambda m: "".join(f"%{b:02X}" for b in m[0].encode("latin-1", "replace")), target)


def _joined(lines: list[str]) -> str | None:
    return ", ".join(lines) if lines else None


def _request_id() -> str:
    """_request_id returns "req_" and a ULID."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "req_" + "".join(digits[number >> shift & 31] for shift in range(125, -1, -5))
