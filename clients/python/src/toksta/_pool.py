"""A pool of HTTP/1.1 connections to one server, over TCP, TLS or a Unix socket.

The pool is safe for threads and for processes that fork. It repeats no request and follows no redirect. A request ends at its
deadline, also if the server sends its response byte by byte; only the look-up of the server's name is not bounded.
"""

from __future__ import annotations

import http.client
import io
import os
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any

from ._errors import unavailable

_MAX_RESPONSE = 64 << 20  # bytes
_MAX_IDLE = 32  # connections
_IDLE_SECONDS = 30.0


@dataclass(frozen=True)
class Address:
    """The address of a server: host and port, or the path of a Unix socket."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    socket: str | None = None

    def __str__(self) -> str:
        if self.socket is not None:
            return self.socket
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}"


class _Deadline:
    """A moment on the steady clock at which a request ends."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Reader(io.RawIOBase):
    """The incoming bytes of a socket until a deadline."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)


class _Source:
    """The part of a socket that http.client.HTTPResponse uses."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._reader = _Reader(sock, deadline)

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


class Pool:
    """The connections to one server, at most so many at the same time: a burst must not use up those of the server."""

    def __init__(self, address: Address, most: int) -> None:
        self._address = address
        self._most = most
        self._slots = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[tuple[socket.socket, float]] = []
        self._process = os.getpid()

    def post(self, path: str, headers: dict[str, str], body: bytes, seconds: float) -> tuple[int, str, bytes]:
        """post sends one request and returns status, media type and body of the response. It raises a TokstaError without one.
        A request that has waited for its turn for most of its time is not sent."""
        self._after_fork()
        deadline, slots = _Deadline(seconds), self._slots
        if not slots.acquire(timeout=seconds * 0.75):
            raise unavailable("timeout", f"{self._most} requests to Toksta were in progress. This one was not sent.")
        try:
            return self._exchange(deadline, path, headers, body)
        finally:
            slots.release()

    def _exchange(self, deadline: _Deadline, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        sock: socket.socket | None = None
        try:
            sock = self._take() or self._connect(deadline)
            result, reusable = _exchange(sock, deadline, self._head(path, headers, body), body)
        except TimeoutError:
            _close(sock)
            raise unavailable(
                "timeout", f"Toksta at {self._address} did not respond within {deadline.seconds:g} s. If the call was a change, it was possibly made."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            _close(sock)
            cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise unavailable("unreachable", f"Toksta at {self._address} cannot be reached ({cause}). Check its address and that it runs.") from None
        except BaseException:
            _close(sock)
            raise
        if reusable:
            self._put(sock)
        else:
            sock.close()
        return result

    def close(self) -> None:
        """close closes the idle connections. The pool can be used again afterwards."""
        with self._lock:
            idle, self._idle = self._idle, []
        for sock, _ in idle:
            sock.close()

    def _after_fork(self) -> None:
        """_after_fork forgets the connections, which belong to the parent, and locks that its threads may have held."""
        if self._process != os.getpid():
            self._process, self._lock, self._slots = os.getpid(), threading.Lock(), threading.BoundedSemaphore(self._most)
            self.close()

    def _head(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        host = "toksta" if self._address.socket is not None else self._address.host
        if ":" in host:
            host = f"[{host}]"
        fields = {"Host": f"{host}:{self._address.port}" if self._address.port else host, **headers, "Content-Length": str(len(body))}
        return "".join([f"POST {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in fields.items()), "\r\n"]).encode("latin-1")

    def _take(self) -> socket.socket | None:
        with self._lock:
            while self._idle:
                sock, since = self._idle.pop()
                if time.monotonic() - since < _IDLE_SECONDS and not _readable(sock):
                    return sock
                sock.close()
        return None

    def _put(self, sock: socket.socket) -> None:
        with self._lock:
            if len(self._idle) < _MAX_IDLE and self._process == os.getpid():
                self._idle.append((sock, time.monotonic()))
                return
        sock.close()

    def _connect(self, deadline: _Deadline) -> socket.socket:
        address = self._address
        if address.socket is not None:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(deadline.left())
                sock.connect(address.socket)
            except BaseException:
                sock.close()
                raise
            return sock
        sock = socket.create_connection((address.host, address.port), timeout=deadline.left())
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.tls is None:
                return sock
            sock.settimeout(deadline.left())
            return address.tls.wrap_socket(sock, server_hostname=address.host)
        except BaseException:
            sock.close()
            raise


def _exchange(sock: socket.socket, deadline: _Deadline, head: bytes, body: bytes) -> tuple[tuple[int, str, bytes], bool]:
    """_exchange sends a request and reads its response. It also reports whether the connection can be used again."""
    sock.settimeout(deadline.left())
    sock.sendall(head + body)
    response = http.client.HTTPResponse(_Source(sock, deadline), method="POST")  # type: ignore[arg-type]
    response.begin()
    data = response.read(_MAX_RESPONSE + 1)
    if len(data) > _MAX_RESPONSE or response.length:  # too long, or the connection ended before the announced length
        raise http.client.HTTPException
    reusable = not response.will_close and response.isclosed()
    return (response.status, response.getheader("Content-Type", ""), data), reusable


def _readable(sock: socket.socket) -> bool:
    """_readable reports whether an idle connection has bytes or its end: in both cases it cannot be used."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
