"""A server that answers as a test says, for the responses that no real server gives."""

from __future__ import annotations

import http.server
import json
import threading
import unittest
from collections.abc import Callable
from typing import Any

ADMITTED = {
    "admitted": True,
    "response": {"headers": {"X-Request-Id": "req_1"}},
    "identity": {"X-Acme-Account-Id": "acc_1", "X-Request-Id": "req_1"},
    "identity_prefix": "X-Acme-",
    "principal": {"account_id": "acc_1", "key_id": "key_1", "plan": "PRO", "scopes": ["data"]},
}


class Server:
    """A server until the end of a test. requests has path, header and body of each request, and the port of its connection."""

    def __init__(self, test: unittest.TestCase, answer: Callable[[http.server.BaseHTTPRequestHandler, int], None]) -> None:
        self.requests: list[dict[str, Any]] = []
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                requests.append({"path": self.path, "headers": dict(self.headers), "body": body, "port": self.client_address[1]})
                try:
                    answer(self, len(requests))
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        test.addCleanup(server.server_close)
        test.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"


def send(handler: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """send sends a whole response."""
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def data(handler: http.server.BaseHTTPRequestHandler, value: Any) -> None:
    """data sends the envelope of a success."""
    send(handler, json.dumps({"success": True, "data": value, "meta": {"request_id": "req_1"}}).encode())


def error(handler: http.server.BaseHTTPRequestHandler, status: int, code: str, **details: str) -> None:
    """error sends the envelope of an error."""
    body = {"success": False, "error": {"code": code, "message": "No.", "details": details}, "meta": {"request_id": "req_9"}}
    send(handler, json.dumps(body).encode(), status)
