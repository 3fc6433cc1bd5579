"""Middleware for ASGI on asyncio: Starlette, FastAPI, Django and other frameworks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from ._client import Toksta
from ._decision import Decision
from ._guard import Guard, ascii_target, merged, rejection

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequireKey:
    """ASGI middleware that lets only admitted calls pass: app.add_middleware(RequireKey, toksta=toksta).

    The application finds the decision in scope["toksta"]. The keyword arguments are those of toksta._guard.Guard: operation,
    credits, hold, proxies, address and keep_authorization; and threads, the largest number of decisions at the same time.

    Each decision is a blocking call in one of these threads, because the client is the same as that of WSGI: one pool of
    connections, one implementation of deadlines. A decision ends within the timeout of the client, waiting for a thread
    included; one that has waited for most of that time is not sent. If the client disconnects meanwhile, a waiting decision is
    not sent either, and a sent one frees its thread at its end.
    """

    def __init__(self, app: Application, toksta: Toksta, threads: int = 32, **options: Any) -> None:
        self._app = app
        self._guard = Guard(toksta, **options)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="toksta")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"toksta: the scope {scope['type']!r} cannot be decided")
        decision = await self._decide(scope)
        if not decision.admitted:
            await _reject(scope, receive, send, decision)
            return
        scope = dict(scope, headers=self._identified(scope, decision), toksta=decision)

        async def answer(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                headers = [(_decode(n), _decode(v)) for n, v in message.get("headers", ())]
                message = dict(message, headers=_encode(merged(headers, decision)))
            await send(message)

        await self._app(scope, receive, answer)

    async def _decide(self, scope: Scope) -> Decision:
        end = time.monotonic() + self._guard.toksta.timeout
        decision = asyncio.get_running_loop().run_in_executor(self._threads, self._check, scope, end)
        try:
            return await asyncio.wait_for(decision, self._guard.toksta.timeout)
        except asyncio.TimeoutError:
            return self._guard.unavailable(TimeoutError("no decision within the timeout"), _lines(scope))

    def _check(self, scope: Scope, end: float) -> Decision:
        left = end - time.monotonic()
        if left < self._guard.toksta.timeout / 4:  # too late for an answer in time, so the call must not be counted
            return self._guard.unavailable(TimeoutError("all threads were busy"), _lines(scope))
        peer = scope.get("client")
        return self._guard.check(scope.get("method", "GET"), target(scope), peer[0] if peer else "", _lines(scope), scope, left)

    def _identified(self, scope: Scope, decision: Decision) -> list[tuple[bytes, bytes]]:
        traceparent = _lines(scope)("traceparent")
        fields = [(n, self._guard.kept(_decode(n), _decode(v), decision, traceparent)) for n, v in scope["headers"]]
        return [(n, v.encode("latin-1")) for n, v in fields if v is not None] + _encode(list(decision.identity.items()))


def target(scope: Scope) -> str:
    """target returns the request target as sent: the path is raw_path. If the server does not state it, the decoded path is
    escaped again, so that the decision is made on the path that the application sees."""
    raw = scope.get("raw_path")
    path = _decode(raw) if raw else quote(scope["path"], safe="/!$&'()*+,:=@~;")
    query = _decode(scope.get("query_string", b""))
    return ascii_target(f"{path or '/'}?{query}" if query else path or "/")


async def _reject(scope: Scope, receive: Receive, send: Send, decision: Decision) -> None:
    """_reject sends the response of the decision. A server without the extension websocket.http.response responds to the
    handshake of a rejected WebSocket with its own 403, whatever the status of the decision."""
    status, headers, body = rejection(decision)
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1013 if status == 503 else 1008})
            return
        kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": status, "headers": _encode(headers)})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})


def _lines(scope: Scope) -> Callable[[str], list[str]]:
    def lines(name: str) -> list[str]:
        return [value.decode("utf-8", "replace") for n, value in scope["headers"] if _decode(n).lower() == name]

    return lines


def _decode(value: bytes) -> str:
    return bytes(value).decode("latin-1")


def _encode(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
