from __future__ import annotations

import json
import os
import select
import tempfile
import threading
import traceback
import unittest
from pathlib import Path

from toksta import Toksta, TokstaError
from toksta._operations import _Noun

from .server import ADMITTED, Server, data, error, send

KEY = "tk_op_0123456789abcdef0123456789abcdef0123456789abcdef"


class ClientTest(unittest.TestCase):
    def client(self, url: str, **options: object) -> Toksta:
        client = Toksta(url, key=KEY, **options)
        self.addCleanup(client.close)
        return client

    def test_call(self) -> None:
        """Guarantee: a call posts its fields with the key over a kept connection, and returns the data of the envelope."""
        server = Server(self, lambda h, n: data(h, {"id": "acc_1"}))
        client = self.client(server.url + "/base/")
        self.assertEqual(client.accounts.show(account="acme"), {"id": "acc_1"})
        self.assertEqual(client.call("nodes"), {"id": "acc_1"})
        first, second = server.requests
        self.assertEqual(first["path"], "/base/operator/v1/accounts/show")
        self.assertEqual(first["headers"]["Authorization"], f"Bearer {KEY}")
        self.assertEqual((first["body"], second["body"]), ({"account": "acme"}, {}))
        self.assertEqual(first["port"], second["port"])

    def test_errors(self) -> None:
        """Guarantee: an error of the server is a TokstaError with all its fields."""
        server = Server(self, lambda h, n: error(h, 409, "CONFLICT", reason="r", hint="h"))
        with self.assertRaises(TokstaError) as caught:
            self.client(server.url).keys.revoke(key="x")
        e = caught.exception
        self.assertEqual((e.code, e.reason, e.message, e.hint, e.status, e.request_id), ("CONFLICT", "r", "No.", "h", 409, "req_9"))

    def test_rejected_operator_key(self) -> None:
        """Guarantee: an operator key that Toksta rejects is an error that says what to do."""
        server = Server(self, lambda h, n: error(h, 401, "UNAUTHORIZED"))
        with self.assertRaises(TokstaError) as caught:
            self.client(server.url).call("nodes")
        self.assertIn("use another one", caught.exception.hint)

    def test_key_is_hidden(self) -> None:
        """Guarantee: no value of the package shows the key, also when a call fails."""
        client = self.client("http://127.0.0.1:1")
        with self.assertRaises(TokstaError) as caught:
            client.verify(operation="x")
        self.assertEqual((caught.exception.code, caught.exception.reason), ("UNAVAILABLE", "unreachable"))
        for shown in (repr(client), str(client), repr(caught.exception), "".join(traceback.format_exception(caught.exception))):
            self.assertNotIn(KEY[6:], shown)
        for bad in ("tk_op_1\n2", "tk_op é", ""):
            with self.assertRaises(ValueError) as malformed:
                Toksta("https://t.test", key=bad)
            self.assertNotIn("tk_op_1", str(malformed.exception))

    def test_where_the_key_goes(self) -> None:
        """Guarantee: the key is never sent in clear text to another machine, nor to another server by a redirect."""
        for url in ("http://toksta.internal", "http://127.0.0.1.evil.test", "http://[::2]", "ftp://h", "https://u:p@h", "https://h?x", "https://h#x", "h", "https://h\r\nx"):
            with self.assertRaises(ValueError, msg=url):
                Toksta(url, key=KEY)
        for url in ("https://toksta.internal", "http://localhost:1", "http://127.9.0.1", "http://[::1]:8"):
            Toksta(url, key=KEY)
        Toksta("http://toksta.internal", key=KEY, insecure_http=True)
        for wrong in ({"url": "https://t.test"}, {"key": KEY}, {"url": "https://t.test", "socket": "/x", "key": KEY}):
            with self.assertRaises(ValueError):
                Toksta(**wrong)
        other = Server(self, lambda h, n: data(h, {}))
        server = Server(self, lambda h, n: send(h, b"", 307, Location=other.url + h.path))
        with self.assertRaises(TokstaError):
            self.client(server.url).call("nodes")
        self.assertEqual(other.requests, [])

    def test_timeout(self) -> None:
        """Guarantee: a call ends at its timeout, also if the server sends its response byte by byte."""
        done = threading.Event()
        self.addCleanup(done.set)

        def drip(handler: object, _: int) -> None:
            handler.send_response(200)
            handler.end_headers()
            while not done.wait(0.005):
                handler.wfile.write(b" ")

        with self.assertRaises(TokstaError) as caught:
            self.client(Server(self, drip).url, timeout=0.06).verify(operation="x")
        self.assertEqual((caught.exception.code, caught.exception.reason), ("UNAVAILABLE", "timeout"))

    def test_cut_response(self) -> None:
        """Guarantee: a response whose connection ends before its announced length admits no call."""

        def cut(handler: Any, n: int) -> None:
            body = json.dumps({"success": True, "data": ADMITTED}).encode()
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body) + 1, body))
            handler.close_connection = True

        with self.assertRaises(TokstaError) as caught:
            self.client(Server(self, cut).url).verify(operation="x")
        self.assertEqual((caught.exception.code, caught.exception.reason), ("UNAVAILABLE", "unreachable"))

    def test_malformed_decisions(self) -> None:
        """Guarantee: only a complete decision admits a call."""
        headers: dict[str, str] = {}
        decisions: list[object] = [
            {}, None, [], {"admitted": "true", "response": {"headers": headers}}, {"admitted": 1, "response": {"headers": headers}}, {"admitted": True},
            {"admitted": True, "response": {}}, {"admitted": True, "response": {"headers": {"X": 1}}}, {"admitted": False, "response": {"headers": headers}},
            {"admitted": False, "response": {"status": 200, "headers": headers}}, {"admitted": True, "response": {"headers": headers}},
            {**ADMITTED, "public": True},
        ]  # fmt: skip
        answers = [b"", b"null", b"{}", b'{"success":true}', b"[]", b"<html>"]
        answers += [json.dumps({"success": True, "data": d}).encode() for d in decisions]
        server = Server(self, lambda h, n: send(h, answers[n - 1]))
        client = self.client(server.url)
        for answer in answers:
            with self.assertRaises(TokstaError, msg=answer) as caught:
                client.verify(operation="x")
            self.assertEqual(caught.exception.reason, "malformed_response", answer)
        batch = Server(self, lambda h, n: data(h, {"decisions": [ADMITTED]}))
        with self.assertRaises(TokstaError):
            self.client(batch.url).verify_batch([{}, {}])

    def test_rotated_key_file(self) -> None:
        """Guarantee: a key file that was replaced is used after a 401, once; a file with the rejected key is not tried again."""

        def answer(handler: object, _: int) -> None:
            if handler.headers["Authorization"] == "Bearer tk_op_new":
                data(handler, ADMITTED)
            else:
                error(handler, 401, "UNAUTHORIZED")

        server = Server(self, answer)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "key")
            file.write_text("tk_op_old\n")
            client = Toksta(server.url, key_file=file)
            self.addCleanup(client.close)
            with self.assertRaises(TokstaError):
                client.verify(operation="x")
            self.assertEqual(len(server.requests), 1)
            file.write_text("tk_op_new\n")
            self.assertTrue(client.verify(operation="x").admitted)
        self.assertEqual(len(server.requests), 3)

    def test_closed_connection(self) -> None:
        """Guarantee: a kept connection that the server has closed is not used for the next call."""

        def answer(handler: object, _: int) -> None:
            data(handler, ADMITTED)
            handler.close_connection = True

        server = Server(self, answer)
        client = self.client(server.url)
        for _ in range(3):
            self.assertTrue(client.verify(operation="x").admitted)
            select.select([client._decisions._idle[-1][0]], [], [])  # until the end of the connection has arrived

    def test_threads(self) -> None:
        """Guarantee: threads that share a client get the responses of their own calls."""
        server = Server(self, lambda h, n: data(h, {"path": h.path}))
        client = self.client(server.url)
        wrong: list[object] = []

        def run(name: str) -> None:
            for _ in range(50):
                got = client.call(name)["path"]
                if got != f"/operator/v1/{name}":
                    wrong.append((name, got))

        threads = [threading.Thread(target=run, args=("x" * i,)) for i in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_burst(self) -> None:
        """Guarantee: decisions use a limited number of connections, and one that waits too long for its turn is never sent."""
        server = Server(self, lambda h, n: data(h, ADMITTED))
        client = self.client(server.url, timeout=0.05)
        slots = client._decisions._slots
        taken = 0
        while slots.acquire(blocking=False):
            taken += 1
        self.assertEqual(taken, 64)
        with self.assertRaises(TokstaError) as caught:
            client.verify(operation="x")
        self.assertEqual((caught.exception.reason, server.requests), ("timeout", []))
        slots.release()
        self.assertTrue(client.verify(operation="x", timeout=5.0).admitted)

    def test_fork(self) -> None:
        """Guarantee: a forked process uses connections of its own."""
        server = Server(self, lambda h, n: data(h, ADMITTED))
        client = self.client(server.url)
        client.verify(operation="x")
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if client.verify(operation="x").admitted else 1)
            except BaseException:
                os._exit(2)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        client.verify(operation="x")
        ports = [r["port"] for r in server.requests]
        self.assertEqual(ports[0], ports[2])
        self.assertNotEqual(ports[0], ports[1])

    def test_operations(self) -> None:
        """Guarantee: each method calls an operation of its own noun, and a name cannot leave the path of the API."""
        server = Server(self, lambda h, n: data(h, {}))
        client = self.client(server.url)
        for noun in (n for n in vars(client).values() if isinstance(n, _Noun)):
            for name, operation in vars(type(noun)).items():
                if not name.startswith("__"):
                    getattr(noun, name)(a=1)
                    self.assertEqual(server.requests[-1]["path"], f"/operator/v1/{operation.name}")
        for name in ("../x", "keys/", "/keys", "keys?x", "Keys/x", "keys/../x", "x\r\n"):
            with self.assertRaises(ValueError, msg=name):
                client.call(name)
