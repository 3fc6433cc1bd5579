"""Sends admitted requests to the back end of the test, as a proxy written in each framework would, and serves the programs."""

import http.client
import os
import socket
import urllib.parse

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
# Upgrade passes, so that the back end shows whether the middleware removed it.
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date"}


def forward(method, target, fields, body):
    """forward returns status, header and body, in pieces as they arrive, of the response of the back end."""
    backend = urllib.parse.urlsplit(os.environ["BACKEND"])
    connection = http.client.HTTPConnection(backend.hostname, backend.port)
    connection.putrequest(method, target, skip_host=False, skip_accept_encoding=True)
    for name, value in fields:
        if name.lower() not in HOP:
            connection.putheader(name, value)
    if body:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)
    response = connection.getresponse()
    headers = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP]
    return response.status, headers, iter(lambda: response.read1(4096), b"")


def wsgi(environ):
    """wsgi forwards a request of WSGI with the fields that its application got."""
    fields = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return forward(environ["REQUEST_METHOD"], environ["RAW_URI"], fields, body)


def serve_wsgi(app):
    """serve_wsgi serves an application with Werkzeug until the process ends, and prints its address."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def serve_asgi(app):
    """serve_asgi serves an application with uvicorn until the process ends, and prints its address."""
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, proxy_headers=False, log_level="warning")).run(sockets=[listener])
