from __future__ import annotations

import asyncio
import json
import threading
import time
import unittest
from typing import Any

from toksta import Toksta, asgi, wsgi
from toksta._guard import Guard

from .server import ADMITTED, Server, data, error

KEY = "tk_op_0"
REJECTION = {"success": False, "error": {"code": "RATE_LIMITED", "message": "a <b> & c", "details": {"reason": "rate_limited"}}, "meta": {"request_id": "req_1"}}
REJECTED = {"admitted": False, "response": {"status": 429, "headers": {"Content-Type": "application/json", "Retry-After": "7", "Content-Length": "3"}, "body": REJECTION}}
REJECTED_BODY = json.dumps(REJECTION, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()
SPOOFED = ("X-Toksta-Account-Id", "x_toksta_account_id", "X-TOKSTA-Account_Id", "x.toksta.key.id", "X-Acme-Plan", "x_acme_plan", "X-Original-URI", "X-Rewrite-Url", "X-HTTP-Method-Override", "X_Request_Id", "Traceparent", "Tracestate")  # fmt: skip


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("x-request-id", "own"), ("Vary", "Accept")])
    return [json.dumps({name: str(value) for name, value in environ.items()}).encode()]


def call_wsgi(middleware: Any, environ: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    got: list[Any] = []
    body = b"".join(middleware({"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/x", "REMOTE_ADDR": "203.0.113.1", **environ}, lambda status, headers, *_: got.extend((status, headers))))
    return got[0], {name.lower(): value for name, value in got[1]}, body


class WSGITest(unittest.TestCase):
    def guard(self, answer: Any = ADMITTED, **options: Any) -> tuple[wsgi.RequireKey, Server]:
        server = Server(self, lambda h, n: data(h, answer))
        client = Toksta(server.url, key=KEY)
        self.addCleanup(client.close)
        return wsgi.RequireKey(application, client, **options), server

    def test_request_as_sent(self) -> None:
        """Guarantee: the decision is asked for the request as sent: target, joined Authorization lines, and the peer's address."""
        middleware, server = self.guard()
        for environ, target in (
            ({"RAW_URI": "/a/../b%2F?q=1&\xc3\xb6", "REQUEST_URI": "/other"}, "/a/../b%2F?q=1&%C3%B6"),
            ({"REQUEST_URI": "/r?q"}, "/r?q"),
            ({"SCRIPT_NAME": "/v1", "PATH_INFO": "/Bj\xc3\xb6rk x/%", "QUERY_STRING": "q=%2F"}, "/v1/Bj%C3%B6rk%20x/%25?q=%2F"),
            ({"PATH_INFO": ""}, "/"),
        ):
            call_wsgi(middleware, {"HTTP_AUTHORIZATION": "Bearer a,Bearer b", "HTTP_X_FORWARDED_FOR": "198.51.100.1", "HTTP_USER_AGENT": "Bj\xc3\xb6rk", **environ})
            want = {"method": "GET", "target": target, "authorization": "Bearer a,Bearer b", "address": "203.0.113.1", "agent": "Björk"}
            self.assertEqual(server.requests[-1]["body"], want)

    def test_spoofed_fields(self) -> None:
        """Guarantee: no identity, id or override of a client reaches the application, in any spelling; the verified ones do."""
        middleware, _ = self.guard()
        spoofed = {"HTTP_" + name.upper().replace("-", "_"): "spoofed" for name in SPOOFED}
        status, headers, body = call_wsgi(middleware, {"HTTP_AUTHORIZATION": "Bearer a", "HTTP_X_KEPT": "yes", "HTTP_CONNECTION": "X-Acme-Account-Id, x_toksta_plan, X-Kept", **spoofed})
        self.assertEqual((status, headers["x-request-id"], headers["vary"]), ("200 OK", "req_1", "Accept"))
        self.assertNotIn(b"spoofed", body)
        self.assertNotIn(b"Bearer", body)
        got = json.loads(body)
        self.assertEqual((got["HTTP_X_ACME_ACCOUNT_ID"], got["HTTP_X_KEPT"], got["HTTP_CONNECTION"]), ("acc_1", "yes", "X-Kept"))

    def test_tracestate(self) -> None:
        """Guarantee: the client's Tracestate reaches the application only with its own Traceparent."""
        middleware, _ = self.guard({**ADMITTED, "identity": {"Traceparent": "tp-1"}})
        for traceparent, kept in (("tp-1", True), ("tp-2", False)):
            body = call_wsgi(middleware, {"HTTP_TRACEPARENT": traceparent, "HTTP_TRACESTATE": "mine"})[2]
            self.assertEqual(b"mine" in body, kept)

    def test_moved_path(self) -> None:
        """Guarantee: a client that moves a part of the path out of the one on which the application routes is rejected."""
        middleware, server = self.guard()
        middleware._app = lambda *_: self.fail("the application ran")
        for name in ("SCRIPT_NAME", "PATH_INFO", "DAPHNE_ROOT_PATH"):
            # as Gunicorn does with SCRIPT_NAME: /v1
            environ = {"RAW_URI": "/v1/x", "SCRIPT_NAME": "/v1", "PATH_INFO": "/x", "HTTP_" + name: "/v1"}
            self.assertEqual(call_wsgi(middleware, environ)[0], "400 Bad Request", name)
        self.assertEqual(server.requests, [])

    def test_rejection(self) -> None:
        """Guarantee: a rejection is sent exactly as Toksta states it, and the application does not run."""
        middleware, _ = self.guard(REJECTED)
        middleware._app = lambda *_: self.fail("the application ran")
        status, headers, body = call_wsgi(middleware, {})
        self.assertEqual((status, headers["retry-after"], headers["content-length"], body), ("429 Too Many Requests", "7", str(len(REJECTED_BODY)), REJECTED_BODY))
        self.assertEqual(call_wsgi(middleware, {"REQUEST_METHOD": "HEAD"})[2], b"")

    def test_fails_closed(self) -> None:
        """Guarantee: without a decision the call is rejected with 503, whatever the failure is, and the failure is logged."""
        done = threading.Event()
        silent = Server(self, lambda h, n: done.wait() and None)
        self.addCleanup(done.set)
        broken = Server(self, lambda h, n: data(h, {"admitted": "yes"}))
        denied = Server(self, lambda h, n: error(h, 401, "UNAUTHORIZED"))
        good = Server(self, lambda h, n: data(h, ADMITTED))

        def thrower(_: Any) -> Any:
            raise KeyError("the option failed")

        for url, options in (
            ("http://127.0.0.1:1", {}), (silent.url, {}), (broken.url, {}), (denied.url, {}),
            (good.url, {"operation": thrower}), (good.url, {"address": thrower}), (good.url, {"hold": thrower}),
        ):  # fmt: skip
            client = Toksta(url, key=KEY, timeout=0.05 if url == silent.url else 5.0)
            self.addCleanup(client.close)
            middleware = wsgi.RequireKey(lambda *_: self.fail("the application ran"), client, **options)
            with self.assertLogs("toksta", "ERROR"):
                status, headers, body = call_wsgi(middleware, {})
            self.assertEqual((status, headers["retry-after"], headers["cache-control"]), ("503 Service Unavailable", "1", "no-store"))
            self.assertRegex(body, rb'^\{"success":false,"error":\{"code":"UNAVAILABLE","message":"[^"]+"\},"meta":\{"request_id":"req_[0-9A-Z]{26}"\}\}$')

    def test_addresses(self) -> None:
        """Guarantee: X-Forwarded-For counts only behind a listed proxy, and its last untrusted element decides."""
        guard = Guard(Toksta("https://t.test", key=KEY), proxies=["10.0.0.0/8", "fd00::/8", "192.0.2.1"])
        for peer, lines, want in (
            ("203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", ["198.51.100.1, 198.51.100.2", " , 10.9.9.9"], "198.51.100.2"),
            ("10.0.0.1", ["forged, 198.51.100.2:55"], "198.51.100.2"),
            ("fd00::1", ["[2001:db8::1]:443"], "2001:db8::1"),
            ("192.0.2.1", ["[2001:db8::2]"], "2001:db8::2"),
            ("192.0.2.1", ["fe80::1%eth0"], "fe80::1"),
            ("10.0.0.1", ["198.51.100.1, unknown"], None),
            ("10.0.0.1", ["198.51.100.1, 300.1.1.1"], None),
            ("10.0.0.1", ["[198.51.100.1]"], None),
            ("", ["198.51.100.1"], ""),
        ):
            self.assertEqual(guard._client(peer, lines), want, (peer, lines))
        for bad in ("10.0.0.0/33", "x", "10.0.0.0/8/8", ""):
            with self.assertRaises(ValueError, msg=bad):
                Guard(guard.toksta, proxies=[bad])
        with self.assertRaises(ValueError):
            Guard(guard.toksta, proxies=["10.0.0.0/8"], address=lambda _: None)

    def test_malformed_address(self) -> None:
        """Guarantee: a deciding address that is malformed is a 400 before Toksta is asked."""
        middleware, server = self.guard(proxies=["203.0.113.0/24"])
        self.assertEqual(call_wsgi(middleware, {"HTTP_X_FORWARDED_FOR": "unknown"})[0], "400 Bad Request")
        self.assertEqual(call_wsgi(middleware, {"HTTP_X_FORWARDED_FOR": "198.51.100.7"})[0], "200 OK")
        self.assertEqual([r["body"]["address"] for r in server.requests], ["198.51.100.7"])


class ASGITest(unittest.IsolatedAsyncioTestCase):
    def guard(self, answer: Any = ADMITTED, app: Any = None, **options: Any) -> tuple[asgi.RequireKey, Server]:
        server = Server(self, answer if callable(answer) else lambda h, n: data(h, answer))
        client = Toksta(server.url, key=KEY, timeout=options.pop("timeout", 2.0))
        self.addCleanup(client.close)
        middleware = asgi.RequireKey(app or self.application, client, **options)
        self.addCleanup(middleware._threads.shutdown)
        return middleware, server

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"own"), (b"vary", b"Accept")]})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})

    async def call(self, middleware: Any, **scope: Any) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": f"{scope.get('type', 'http')}.connect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        http = {"type": "http", "method": "GET", "path": "/v1/x", "headers": [], "client": ("203.0.113.1", 5), **scope}
        await middleware(http, receive, send)
        return sent

    async def test_request_as_sent(self) -> None:
        """Guarantee: the decision is asked for the request as sent: target, every Authorization line, and the peer's address."""
        middleware, server = self.guard()
        headers = [(b"authorization", b"Bearer a"), (b"Authorization", b"Bearer b"), (b"user-agent", b"Bj\xc3\xb6rk")]
        for scope, target in (
            ({"raw_path": b"/a/../b%2F\xc3\xb6", "query_string": b"q=1"}, "/a/../b%2F%C3%B6?q=1"),
            ({"path": "/Bj\xf6rk x/%"}, "/Bj%C3%B6rk%20x/%25"),
        ):
            await self.call(middleware, headers=headers, **scope)
            want = {"method": "GET", "target": target, "authorization": "Bearer a, Bearer b", "address": "203.0.113.1", "agent": "Björk"}
            self.assertEqual(server.requests[-1]["body"], want)

    async def test_spoofed_fields(self) -> None:
        """Guarantee: no identity, id or override of a client reaches the application, in any spelling; the verified ones do."""
        middleware, _ = self.guard()
        headers = [(name.encode(), b"spoofed") for name in SPOOFED]
        start, _ = await self.call(middleware, headers=[*headers, (b"authorization", b"Bearer a"), (b"x-kept", b"yes")])
        self.assertEqual(dict(self.scope["headers"]), {b"x-kept": b"yes", b"x-acme-account-id": b"acc_1", b"x-request-id": b"req_1"})
        self.assertEqual(self.scope["toksta"].principal.account_id, "acc_1")
        self.assertEqual(dict(start["headers"]), {b"vary": b"Accept", b"x-request-id": b"req_1"})

    async def test_rejection(self) -> None:
        """Guarantee: a rejection is sent exactly as Toksta states it, also to a WebSocket if the server can, and the application
        does not run."""
        middleware, _ = self.guard(REJECTED, app=lambda *_: self.fail("the application ran"))
        for scope, kind in (({}, "http"), ({"type": "websocket", "extensions": {"websocket.http.response": {}}}, "websocket.http")):
            start, body = await self.call(middleware, **scope)
            self.assertEqual((start["type"], start["status"], body["body"]), (f"{kind}.response.start", 429, REJECTED_BODY))
            self.assertEqual(dict(start["headers"])[b"retry-after"], b"7")
        self.assertEqual(await self.call(middleware, type="websocket"), [{"type": "websocket.close", "code": 1008}])

    async def test_scopes(self) -> None:
        """Guarantee: an admitted WebSocket gets the fields of the decision, lifespan passes, and an unknown scope does not."""
        middleware, server = self.guard()
        (accept,) = await self.call(middleware, type="websocket")
        self.assertEqual(accept["headers"], [(b"x-request-id", b"req_1")])
        await self.call(middleware, type="lifespan")
        self.assertEqual(self.scope["type"], "lifespan")
        with self.assertRaises(ValueError):
            await self.call(middleware, type="unknown")
        self.assertEqual(len(server.requests), 1)

    async def test_fails_closed(self) -> None:
        """Guarantee: without a decision in time the call gets 503, also if it waited for a thread, and one that waited too long
        is never sent."""
        done = threading.Event()
        self.addCleanup(done.set)
        middleware, server = self.guard(lambda h, n: done.wait() and None, app=lambda *_: self.fail("the application ran"), threads=1, timeout=0.1)
        with self.assertLogs("toksta", "ERROR"):
            results = await asyncio.gather(*(self.call(middleware) for _ in range(3)))
            self.assertEqual({start["status"] for start, _ in results}, {503})
            sent = len(server.requests)
            scope = {"type": "http", "method": "GET", "path": "/v1/x", "headers": []}
            self.assertEqual(middleware._check(scope, time.monotonic() + 0.01).response.status, 503)
            self.assertEqual(len(server.requests), sent)

    async def test_disconnected_clients(self) -> None:
        """Guarantee: a call whose client disconnects while it waits for a thread is never sent, and no thread is left behind."""
        asked, done = threading.Semaphore(0), threading.Event()

        def answer(handler: Any, _: int) -> None:
            asked.release()
            done.wait()
            data(handler, ADMITTED)

        middleware, server = self.guard(answer, threads=2, timeout=30.0)
        tasks = [asyncio.create_task(self.call(middleware)) for _ in range(50)]
        for _ in range(2):
            await asyncio.to_thread(asked.acquire)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        self.assertEqual({type(result) for result in results}, {asyncio.CancelledError})
        done.set()
        middleware._threads.shutdown(wait=True)
        self.assertEqual(len(server.requests), 2)
        self.assertEqual([t for t in threading.enumerate() if t.name.startswith("toksta")], [])
