"""Middleware for WSGI: Flask, Django and other frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ._client import Toksta
from ._decision import Decision
from ._guard import Guard, ascii_target, merged, rejection

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class RequireKey:
    """WSGI middleware that lets only admitted calls pass: app.wsgi_app = RequireKey(app.wsgi_app, toksta).

    The application finds the decision in environ["toksta"]. Put it outermost: the decision is made on the target as sent, so no
    middleware in front of it may change the path. The keyword arguments are those of toksta._guard.Guard: operation, credits,
    hold, proxies, address, and keep_authorization.
    """

    def __init__(self, app: Application, toksta: Toksta, **options: Any) -> None:
        self._app = app
        self._guard = Guard(toksta, **options)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        decision = self._guard.check(environ["REQUEST_METHOD"], target(environ), environ.get("REMOTE_ADDR", ""), _lines(environ), environ)
        if not decision.admitted:
            status, headers, body = rejection(decision)
            start_response(_status(status), headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        self._remove(environ, decision)
        for name, value in decision.identity.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        environ["toksta"] = decision

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, merged(headers, decision), *error)

        return self._app(environ, start)

    def _remove(self, environ: Environ, decision: Decision) -> None:
        traceparent = _lines(environ)("traceparent")
        for name in [n for n in environ if n.startswith("HTTP_")]:
            kept = self._guard.kept(name[5:], environ[name], decision, traceparent)
            if kept is None:
                del environ[name]
            else:
                environ[name] = kept


def target(environ: Environ) -> str:
    """target returns the request target as sent, where the server states it (gunicorn: RAW_URI; uWSGI, mod_wsgi: REQUEST_URI;
    Werkzeug: both). Other servers state only the decoded path, in which %2F and / are one: it is escaped again, so that the
    decision is made on the path that the application sees."""
    for name in ("RAW_URI", "REQUEST_URI"):
        if environ.get(name):
            return ascii_target(str(environ[name]))
    path = quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe="/!$&'()*+,:=@~;")
    query = environ.get("QUERY_STRING", "")
    return ascii_target(f"{path or '/'}?{query}" if query else path or "/")


def _lines(environ: Environ) -> Callable[[str], list[str]]:
    """_lines returns a function that returns the value of a field, in which the server has joined several lines with a comma."""

    def lines(name: str) -> list[str]:
        value = environ.get("HTTP_" + name.upper().replace("-", "_"))
        return [] if value is None else [_text(value)]

    return lines


def _text(value: str) -> str:
    """_text decodes a string of WSGI, which has each byte as one character."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Rejected"
