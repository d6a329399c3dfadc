#!/usr/bin/env python3
"""Answers every request with what arrived, as JSON: what an upstream behind Portcullis sees.

    echo_upstream.py [HOST:PORT]      default 127.0.0.1:0, a free port; prints `listening http://HOST:PORT`
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        if "transfer-encoding" in self.headers:
            self.close_connection = True  # a chunked body is left unread, so nothing can follow it
        else:
            self.rfile.read(int(self.headers.get("content-length", 0)))

        arrived = {"method": self.command, "path": self.path, "headers": {}}
        for name, value in self.headers.items():
            name, seen = name.lower(), arrived["headers"]
            seen[name] = f"{seen[name]}, {value}" if name in seen else value

        body = json.dumps(arrived, indent=2).encode() + b"\n"
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass  # Envoy's access log has all of this


class Upstream(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    host, _, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:0").rpartition(":")
    upstream = Upstream((host, int(port)), Echo)
    print("listening http://%s:%d" % upstream.server_address, flush=True)
    try:
        upstream.serve_forever()
    except KeyboardInterrupt:
        pass
