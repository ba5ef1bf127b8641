"""Stands in for the embedded host: takes its command line, answers every GET with what it was started with."""

import argparse
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}).encode()
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
