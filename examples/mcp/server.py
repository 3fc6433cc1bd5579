"""A minimal MCP server over streamable HTTP, with the standard library only and one tool. It speaks revision 2026-07-28, which has no
sessions, and 2025-06-18, whose sessions belong to the account that the gateway verified.

    python3 server.py 9000
"""

import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROTOCOL, WITH_SESSIONS = "2026-07-28", "2025-06-18"
NAMES = "io.modelcontextprotocol/"  # of the fields of _meta
INFO = {"name": "weather", "version": "1.0"}
TOOL = {
    "name": "forecast",
    "description": "The weather of tomorrow in a city",
    "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
sessions: dict[str, str] = {}  # the account of each session id


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        try:
            message = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            method, number, params = message["method"], message.get("id"), message.get("params") or {}
            sessionless = params.get("_meta", {}).get(NAMES + "protocolVersion") == PROTOCOL
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.respond(400)
        account = self.headers.get("X-Toksta-Account-Id", "")
        if method == "initialize":
            session = secrets.token_urlsafe(24)
            sessions[session] = account
            return self.result(number, {"protocolVersion": WITH_SESSIONS, "capabilities": {"tools": {}}, "serverInfo": INFO}, session)
        if sessionless:
            if self.headers.get("Mcp-Method") != method or self.headers.get("MCP-Protocol-Version") != PROTOCOL:
                return self.respond(400)  # the fields must repeat the message
        elif not self.in_session(account):
            return self.respond(404)
        if number is None:  # a notification
            return self.respond(202)
        if method == "server/discover":
            return self.result(number, {"supportedVersions": [PROTOCOL], "capabilities": {"tools": {}}, "_meta": {NAMES + "serverInfo": INFO}})
        if method == "tools/list":
            return self.result(number, {"tools": [TOOL]})
        if method == "tools/call" and params.get("name") == TOOL["name"]:
            return self.stream(number, params)
        self.respond(200, {"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "Method not found"}})

    def do_GET(self) -> None:
        self.respond(405)  # this server sends no messages of its own

    def do_DELETE(self) -> None:
        if not self.in_session(self.headers.get("X-Toksta-Account-Id", "")):
            return self.respond(404)
        del sessions[self.headers["Mcp-Session-Id"]]
        self.respond(204)

    def in_session(self, account: str) -> bool:
        """in_session reports whether the session is one of the account: a session id is no credential."""
        return sessions.get(self.headers.get("Mcp-Session-Id", "")) == account

    def result(self, number: object, fields: dict, session: str = "") -> None:
        self.respond(200, {"jsonrpc": "2.0", "id": number, "result": {"resultType": "complete", **fields}}, session)

    def respond(self, status: int, message: object = None, session: str = "") -> None:
        body = b"" if message is None else json.dumps(message).encode()
        self.send_response(status)
        if session:
            self.send_header("Mcp-Session-Id", session)
        if message is not None:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, number: object, params: dict) -> None:
        """stream responds with server-sent events: the progress of the tool, then its result."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        token = params.get("_meta", {}).get("progressToken")
        if token is not None:
            self.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1, "total": 2}})
        city = params.get("arguments", {}).get("city", "")
        result = {"resultType": "complete", "content": [{"type": "text", "text": f"Tomorrow in {city}: sunny."}]}
        self.event({"jsonrpc": "2.0", "id": number, "result": result})
        self.wfile.write(b"0\r\n\r\n")

    def event(self, message: object) -> None:
        data = f"event: message\ndata: {json.dumps(message)}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
