"""The back end of an invented weather API. It knows nothing of keys: Toksta stands in
front of it and states the caller in X-Weather-Account-Id.

    python3 backend.py [PORT]
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

CITIES = {"berlin": 14, "björk": -3, "osaka": 21}
ALERTS = {}


class Weather(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts == ["status"]:
            return self.send(200, {"status": "ok"})
        match parts:
            case ["forecast", city] if city.lower() in CITIES:
                return self.send(200, {"city": city, "celsius": CITIES[city.lower()]})
            case ["history", city] if city.lower() in CITIES:
                high = CITIES[city.lower()]
                return self.send(200, {"city": city, "days": [{"day": d, "celsius": high - d % 5} for d in range(1, 8)]})
            case ["alerts", number] if number in ALERTS:
                return self.send(200, ALERTS[number])
        self.send(404, {"error": "There is no such city or alert."})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if urlsplit(self.path).path != "/alerts":
            return self.send(404, {"error": "There is no such path."})
        try:
            wanted = json.loads(body)
            alert = {"city": str(wanted["city"]), "below": float(wanted["below"])}
        except (ValueError, KeyError, TypeError):
            return self.send(400, {"error": 'Send {"city": "Berlin", "below": 0}.'})
        alert["id"] = str(len(ALERTS) + 1)
        ALERTS[alert["id"]] = alert
        self.send(201, alert)

    def send(self, status, value):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    ThreadingHTTPServer(("127.0.0.1", port), Weather).serve_forever()
