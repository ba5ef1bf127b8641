"""A double of the embedded host with its command line. A GET returns the arguments and the environment of the start.

A POST is a delivery of Event Grid; later GETs return its path, query and events.
"""

import argparse
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DELIVERED: list[dict[str, object]] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer({"arguments": sys.argv[1:], "environment": dict(os.environ), "delivered": DELIVERED})

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        DELIVERED.append({"target": self.path, "events": events})
        self.answer({"validationResponse": events[0]["data"].get("validationCode")})

    def answer(self, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--data", "--port", "--forward"):
        parser.add_argument(name, required=True)
    parser.add_argument("--fail", action="store_true")
    options = parser.parse_args()
    if options.fail:
        sys.exit("the stand-in was told to fail")
    server = ThreadingHTTPServer(("127.0.0.1", int(options.port)), Handler)
    sys.stdout.write(f"Ready: http://127.0.0.1:{options.port}\n")
    sys.stdout.flush()
    server.serve_forever()


main()
