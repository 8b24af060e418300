"""What both stand-ins are made of: a server that checks every request against a table of what the real one takes, and a store.

A request that is not in the table, lacks a field, has one that the published description does not know, or one of another type, is refused.
"""

import fcntl
import json
import os
import re
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGEST = 8 << 20


class Refused(Exception):
    """An answer that is none of success."""

    def __init__(self, status, body, headers=()):
        super().__init__(body)
        self.status, self.body, self.headers = status, body, headers


class Answer:
    """What is answered: a status, and JSON, text or nothing."""

    def __init__(self, status=200, body=None, kind="application/json", headers=()):
        self.status, self.kind, self.headers = status, kind, headers
        self.body = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()


class Route:
    """A method and a path that are known, the parameters of the query, and the fields of the body: a type each, required with a `!`."""

    def __init__(self, method, path, act, query=(), fields=None, **more):
        self.method, self.act, self.query, self.fields, self.more = method, act, set(query), fields, more
        self.pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")


TYPES = {"text": str, "number": (int, float), "truth": bool, "list": list, "object": dict}


def check(fields, body):
    """What is wrong with a body, or None."""
    if not isinstance(body, dict):
        return "the body is no JSON object"
    for name, kind in fields.items():
        if kind.endswith("!") and name not in body:
            return f"{name} is missing"
    for name, value in body.items():
        if name not in fields:
            return f"{name} is unknown"
        wanted = TYPES[fields[name].rstrip("!")]
        if not isinstance(value, wanted) or isinstance(value, bool) and wanted is not bool:
            return f"{name} is of another type"
    return None


class Store:
    """A state that survives: a JSON file, written aside and renamed, which other processes may change as well."""

    def __init__(self, path, first):
        self.path, self.lock, self.seen, self.state = path, threading.RLock(), None, None
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.exists(path):
            self.write(json.dumps(first()))

    def write(self, text):
        new = self.path + ".new"
        with open(new, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(new, self.path)
        self.text, self.seen = text, os.stat(self.path).st_mtime_ns

    def __enter__(self):
        self.lock.acquire()
        self.guard = open(self.path + ".lock", "w", encoding="utf-8")
        fcntl.flock(self.guard, fcntl.LOCK_EX)
        now = os.stat(self.path).st_mtime_ns
        if now != self.seen or self.state is None:
            with open(self.path, encoding="utf-8") as file:
                self.text = file.read()
            self.state, self.seen = json.loads(self.text), now
        return self.state

    def __exit__(self, kind, _value, _trace):
        text = json.dumps(self.state)
        if kind is None and text != self.text:
            self.write(text)
        elif text != self.text:
            self.state = None
        self.guard.close()
        self.lock.release()


class Request:
    """One request, as far as handlers need it."""

    def __init__(self, handler):
        parts = urlsplit(handler.path)
        self.method, self.path = handler.command, parts.path
        self.query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.headers = handler.headers
        length = int(handler.headers.get("Content-Length") or 0)
        if length > LARGEST:
            raise Refused(413, {"message": "too large"})
        self.raw = handler.rfile.read(length)
        self.json = None


def serve(service, port, pair=None):
    """Answers until it is stopped. `service` has `prepare(request)` and `fault(status, text)`, and routes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, form, *words):
            print(form % words, file=sys.stderr, flush=True)

        def answer(self):
            try:
                request = Request(self)
                answer = dispatch(service, request)
            except Refused as refused:
                answer = Answer(refused.status, refused.body, headers=refused.headers)
            if answer.status >= 400:
                print("refused:", self.command, self.path, answer.status, answer.body.decode()[:300], file=sys.stderr, flush=True)
            self.send_response(answer.status)
            if answer.body:
                self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128
        address_family = socket.AF_INET

        def get_request(self):
            connection, address = super().get_request()
            connection.settimeout(60)
            if pair is None:
                return connection, address
            # The handshake is the handler's thread's, by its first read.
            return pair.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    Server(("0.0.0.0", port), Handler).serve_forever()


def tls(chain, key):
    """TLS with a certificate that is read once, at the start."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


def dispatch(service, request):
    early = service.prepare(request)
    if early is not None:
        return early
    matches = [(route, route.pattern.match(request.path)) for route in service.routes]
    matches = [(route, match) for route, match in matches if match]
    if not matches:
        raise service.fault(404, "path not found")
    for route, match in matches:
        if route.method == request.method:
            break
    else:
        raise service.fault(405, "method not allowed")
    if route.query is not None:
        unknown = set(request.query) - route.query
        if unknown:
            raise service.fault(400, f"the query {sorted(unknown)} is in no description")
    if route.fields is not None:
        if not (request.headers.get("Content-Type") or "").startswith("application/json"):
            raise service.fault(400, "the body is no JSON")
        try:
            request.json = json.loads(request.raw)
        except ValueError:
            raise service.fault(400, "the body is no JSON") from None
        wrong = check(route.fields, request.json)
        if wrong:
            raise service.fault(400, wrong)
    words = {name: unquote(value) for name, value in match.groupdict().items()}
    return service.act(route, request, words)
