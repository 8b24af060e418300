"""The HTTP or HTTPS server around a service: an object whose `handle` makes a `Reply` of a `Request`."""

import base64
import binascii
import json
import os
import signal
import socket
import ssl
import sys
import traceback
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    """`query` has the last value of each parameter; `headers` is case-insensitive."""

    method: str
    target: str
    path: str
    query: dict
    headers: object
    body: bytes

    def basic(self):
        """User and password of basic authentication, or None; a header that is no pair of them counts as empty."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password

    def cookie(self, name):
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get(name)
        return morsel.value if morsel else None


@dataclass
class Reply:
    """`body` is sent as it is, of the content type among the headers."""

    status: int
    body: bytes = b""
    headers: list = field(default_factory=list)


def in_json(status, value, headers=()):
    return Reply(status, json.dumps(value).encode(), [("Content-Type", "application/json; charset=utf-8"), *headers])


class Certificate:
    """A certificate and its key in files. Read once, or again at a connection that finds them changed."""

    def __init__(self, certificate, key, watched=False):
        self.files = (certificate, key)
        self.watched = watched
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*self.files)
        self.times = self._times()

    def wrap(self, connection):
        if self.watched and self._times() != self.times:
            try:
                self.context.load_cert_chain(*self.files)
                self.times = self._times()
            except (OSError, ssl.SSLError) as error:
                print(f"the certificate is not read again: {error}", file=sys.stderr, flush=True)
        # The handshake is for the thread of the connection, not for the one that accepts them all.
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def _times(self):
        return [os.stat(file).st_mtime_ns for file in self.files]


class Server(ThreadingHTTPServer):
    """Listens at every address of the machine when the host is empty."""

    daemon_threads = True

    def __init__(self, service, host, port, certificate=None):
        self.service = service
        self.certificate = certificate
        every = host == "" and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if every or ":" in host else socket.AF_INET
        self.every = every
        super().__init__((host, port), Handler)

    def server_bind(self):
        if self.every:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self):
        connection, client = super().get_request()
        return (self.certificate.wrap(connection) if self.certificate else connection), client

    def handle_error(self, request, client_address):
        # A client that goes away or does not trust the certificate is none of the server's errors.
        if not isinstance(sys.exc_info()[1], (OSError, ssl.SSLError)):
            traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def answer(self):
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, self.path, parts.path, query, self.headers, self._body())
        try:
            reply = self.server.service.handle(request)
        except Exception:
            traceback.print_exc()
            reply = in_json(500, {"code": "internal error", "message": "the stand-in failed; its log says where"})
        self._send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _send(self, reply):
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.status != 204:
            self.wfile.write(reply.body)

    def log_message(self, format, *args):
        print(f"{self.client_address[0]} {format % args}", file=sys.stderr, flush=True)


def serve(server):
    """Serves until a signal ends it."""

    def end(*_):
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    server.serve_forever()
