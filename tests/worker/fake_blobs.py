#!/usr/bin/env python3
"""The blob endpoints that a worker uses, over a directory, with faults on demand.

fake_blobs.py DIRECTORY PORT

A file DIRECTORY/.fault names a status to answer every request with. Uploads are verified as the real
service does. DIRECTORY/.requests counts, one line each: method, name, status.
"""
import hashlib
import http.server
import os
import re
import sys

directory, port = sys.argv[1], int(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b""):
        with open(os.path.join(directory, ".requests"), "a") as log:
            log.write(f"{self.command} {self.path} {status}\n")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self):
        """The status to refuse with, or None."""
        fault = os.path.join(directory, ".fault")
        if os.path.exists(fault):
            with open(fault) as file:
                return int(file.read())
        if not re.fullmatch(r"Bearer rgw_[0-9a-z]{13}_[0-9A-Za-z]{32}", self.headers.get("Authorization", "")):
            return 401
        if not re.fullmatch(r"/api/v1/blobs/[0-9a-f]{64}", self.path):
            return 404
        return None

    def blob(self):
        return os.path.join(directory, os.path.basename(self.path))

    def do_GET(self):
        status = self.refuse()
        if status is None and not os.path.exists(self.blob()):
            status = 404
        if status is not None:
            return self.answer(status)
        with open(self.blob(), "rb") as file:
            return self.answer(200, file.read())

    def do_PUT(self):
        length = int(self.headers["Content-Length"])
        digest, left = hashlib.sha256(), length
        partial = self.blob() + ".partial"
        with open(partial, "wb") as file:
            while left > 0:
                piece = self.rfile.read(min(left, 1 << 20))
                if not piece:
                    return None
                digest.update(piece)
                file.write(piece)
                left -= len(piece)
        status = self.refuse()
        if status is None and digest.hexdigest() != os.path.basename(self.path):
            status = 422
        if status is not None:
            os.unlink(partial)
            return self.answer(status)
        os.rename(partial, self.blob())
        return self.answer(201)


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True


server = Server(("127.0.0.1", port), Handler)
with open(os.path.join(directory, ".port"), "w") as port_file:
    port_file.write(str(server.server_address[1]))
server.serve_forever()
