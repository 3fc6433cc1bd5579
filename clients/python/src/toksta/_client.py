from __future__ import annotations

import ipaddress
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import _decision, _operations
from ._errors import TokstaError, unavailable
from ._pool import Address, Pool

_PREFIX = "/operator/v1/"
_DECISIONS = 64  # at the same time
_CALLS = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, b64token
_OPERATION = re.compile(r"[a-z]+(?:[/-][a-z]+)*")


class Toksta:
    """A client of the operator API. It is safe for threads, keeps connections open, repeats no call, and asks for at most 64
    decisions at the same time.

    url is the address of the operator listener (listen.operator), with key or key_file: an operator key (tk_op_…) with the roles
    of the calls, "verify" for middleware, "sessions" for sessions.create. The file is read again after a 401, so that a rotated
    key needs no restart. socket is the path of the operator socket instead, on the machine of the server, without a key.

    timeout is the longest time of a decision in seconds, change_timeout that of every other call. operator is a name for the
    audit trail, which counts on the socket only. insecure_http allows an http URL of another machine, over which the key is
    readable. tls replaces the default TLS context, for example for a certificate authority of your own.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        socket: str | Path | None = None,
        key: str | None = None,
        key_file: str | Path | None = None,
        timeout: float = 2.0,
        change_timeout: float = 30.0,
        operator: str = "",
        insecure_http: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if (url is None) == (socket is None):
            raise ValueError("Toksta: set either url, the address of listen.operator, or socket, the path of the operator socket.")
        if key is not None and key_file is not None:
            raise ValueError("Toksta: set key or key_file, not both.")
        if url is not None and key is None and key_file is None:
            raise ValueError("Toksta: a url needs an operator key: set key or key_file.")
        if not 0 < timeout <= 600 or not 0 < change_timeout <= 600:
            raise ValueError("Toksta: a timeout is a number of seconds up to 600.")
        if re.search(r"[\x00-\x1f\x7f]", operator) or not operator.isascii():
            raise ValueError("Toksta: operator is a name in ASCII.")
        self.timeout = timeout
        self._change_timeout = change_timeout
        self._operator = operator
        self._key_file = key_file
        self._key = _checked(key) if key_file is None else _read(key_file)
        self._base = ""
        address = Address("", 0, socket=str(socket))
        if url is not None:
            address, self._base = _parse(url, insecure_http, tls)
        self._decisions, self._pool = Pool(address, _DECISIONS), Pool(address, _CALLS)
        self.accounts = _operations.Accounts(self._call)
        self.members = _operations.Members(self._call)
        self.invitations = _operations.Invitations(self._call)
        self.keys = _operations.Keys(self._call)
        self.sessions = _operations.Sessions(self._call)
        self.operator_keys = _operations.OperatorKeys(self._call)
        self.credits = _operations.Credits(self._call)
        self.usage = _operations.Usage(self._call)
        self.events = _operations.Events(self._call)
        self.server = _operations.Server(self._call)

    def __repr__(self) -> str:
        return "<toksta.Toksta>"

    def verify(
        self,
        *,
        key: str | None = None,
        authorization: str | None = None,
        operation: str | None = None,
        method: str | None = None,
        target: str | None = None,
        address: str | None = None,
        agent: str | None = None,
        request_id: str | None = None,
        traceparent: str | None = None,
        trace_id: str | None = None,
        credits: int | None = None,
        hold: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> _decision.Decision:
        """Decides on one call, which is counted and charged. A rejection is a decision, not an error.

        Set key, the plaintext of the key, or authorization, the value of the field (several lines joined with ", "), or neither
        for a call without a credential; and operation, or method and target, the request target as sent with its query. Without
        the client's address, a key that is limited to networks is rejected. credits replaces the price of the route. hold, such
        as {"job": "j1"}, reserves the credits, to be settled later with credits.settle. timeout replaces that of the client.
        """
        request = {
            "key": key, "authorization": authorization, "operation": operation, "method": method, "target": target,
            "address": address, "agent": agent, "request_id": request_id, "traceparent": traceparent, "trace_id": trace_id,
            "credits": credits, "hold": hold,
        }  # fmt: skip
        sent = {name: value for name, value in request.items() if value is not None}
        return _decision.parse(self._send("verify", sent, self.timeout if timeout is None else timeout))

    def verify_batch(self, calls: Sequence[Mapping[str, Any]]) -> list[_decision.Decision]:
        """Decides on up to 1,000 calls, each on its own: mappings with the arguments of verify. The order is that of the calls."""
        response = self._send("verify/batch", {"calls": [dict(c) for c in calls]}, self._change_timeout)
        decisions = response.get("decisions") if isinstance(response, dict) else None
        if not isinstance(decisions, list) or len(decisions) != len(calls):
            raise unavailable("malformed_response", "The response of verify/batch has another number of decisions than calls.")
        return [_decision.parse(d) for d in decisions]

    def call(self, operation: str, **request: Any) -> Any:
        """Calls any operation by its name, such as "keys/revoke". A change has returned once all nodes enforce it."""
        return self._call(operation, _operations.fields(request))

    def close(self) -> None:
        """Closes the idle connections."""
        self._decisions.close()
        self._pool.close()

    def _call(self, operation: str, request: dict[str, Any]) -> Any:
        return self._send(operation, request, self._change_timeout)

    def _send(self, operation: str, request: dict[str, Any], timeout: float) -> Any:
        """_send posts one request. After a 401 it reads the key file again and repeats the request once if the file has another
        key: a rejected credential has changed nothing."""
        if _OPERATION.fullmatch(operation) is None:
            raise ValueError("Toksta: the name of an operation is, for example, keys/revoke.")
        body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
        response = self._exchange(operation, body, timeout)
        if response[0] == 401 and self._key_file is not None:
            key = _read(self._key_file)
            if key != self._key:
                self._key = key
                response = self._exchange(operation, body, timeout)
        return _decode(*response)

    def _exchange(self, operation: str, body: bytes, timeout: float) -> tuple[int, str, bytes]:
        headers = {"Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        if self._operator:
            headers["X-Toksta-Operator"] = self._operator
        pool = self._decisions if operation == "verify" else self._pool
        return pool.post(self._base + _PREFIX + operation, headers, body, timeout)


def _decode(status: int, media_type: str, data: bytes) -> Any:
    """_decode returns the data of an envelope, or the text of another media type. It raises the error of an envelope."""
    if status == 200 and not media_type.startswith("application/json"):
        return data.decode(errors="replace")
    try:
        envelope = json.loads(data)
        if status == 200 and envelope["success"] is True:
            return envelope["data"]
        error = envelope["error"]
        details = error.get("details") or {}
        request_id = str(envelope.get("meta", {}).get("request_id", ""))
        code, message = str(error["code"]), str(error["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise unavailable("malformed_response", f"The response with status {status} is not from Toksta. Check the url.") from None
    hint = details.get("hint", _next_step(code, request_id))
    raise TokstaError(code, message, reason=details.get("reason", ""), hint=hint, status=status, request_id=request_id, details=details)


def _next_step(code: str, request_id: str) -> str:
    """_next_step returns the hint for an error to which the server adds none."""
    if code == "UNAUTHORIZED":
        return (
            "the operator key is unknown, revoked, expired, or not for this network: use another one, "
            "which toksta operator-keys create or rotate prints"
        )
    return f"search the server's log for {request_id}" if code == "INTERNAL_ERROR" else ""


def _checked(key: str | None) -> str | None:
    if key is not None and _TOKEN.fullmatch(key) is None:
        raise ValueError("Toksta: the operator key is malformed. It starts with tk_op_ and has no spaces or line breaks.")
    return key


def _read(file: str | Path) -> str | None:
    return _checked(Path(file).read_text().strip())


def _parse(url: str, insecure: bool, tls: ssl.SSLContext | None) -> tuple[Address, str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or port == -1
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
        or re.search(r"[^!-~]", url)
    ):
        raise ValueError("Toksta: url must be an http or https URL without a user, a query or a fragment.")
    if parts.scheme == "https":
        return Address(parts.hostname, port or 443, tls or ssl.create_default_context()), parts.path.rstrip("/")
    if not insecure and not _is_loopback(parts.hostname):
        raise ValueError(
            f"Toksta: http would send the operator key to {parts.hostname} unencrypted. Use https, or set insecure_http if the network itself is encrypted."
        )
    return Address(parts.hostname, port or 80), parts.path.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
