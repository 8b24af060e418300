"""A library server over a library of its own, and a client that costs little."""

import os
import pathlib
import re
import signal
import socket
import subprocess

SECRET = "between-gateway-and-library"
READY = re.compile(r"at http://127\.0\.0\.1:(\d+)/")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
WAIT = 60


def users(count):
    return [f"user{number:02}" for number in range(count)]


def lay_out(root, names):
    """Each user's folder with what the mix asks for, and the shared one."""
    for name in [*names, "common"]:
        for folder in ("data", "digital twins/one/lifecycle", "functions", "models", "tools"):
            (root / name / folder).mkdir(parents=True)
        (root / name / "README.md").write_text(f"# {name}\n" + "about this folder\n" * 60)
        for number in range(40):
            (root / name / "models" / f"model-{number:02}.txt").write_text(f"k = {number}\n" * 20)
        (root / name / "data" / "large.csv").write_text("0.1,0.2,0.3\n" * 20_000)
        (root / name / "digital twins" / "one" / "lifecycle" / "execute").write_text("#!/bin/sh\n")


class Server:
    """`dtaas lib serve` behind the gateway, as the platform starts it."""

    def __init__(self, binary, place, flags=()):
        self.root = place / "files"
        secret, settings = place / "secret", place / "lib.env"
        secret.write_text(SECRET)
        settings.write_text(f"LOCAL_PATH='{self.root}'\nLOG_LEVEL='error'\n")
        self.talk = (place / "talk").open("w+")
        words = ["lib", "serve", "--env-file", settings, "--gateway-secret-file", secret, "--listen", "127.0.0.1:0", *flags]
        self.child = subprocess.Popen([binary, *words], stdin=subprocess.DEVNULL, stderr=self.talk, env={})
        self.port = self._port()

    def _port(self):
        while True:
            said = pathlib.Path(self.talk.name).read_text()
            found = READY.search(said)
            if found:
                return int(found[1])
            try:
                self.child.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise SystemExit(f"soak: the library server did not start: {said}")

    def resident(self):
        """In KiB."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def alive(self):
        return self.child.poll() is None

    def stop(self):
        """Ends it; how it ended, and what it said after that it serves."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(WAIT)
        said = pathlib.Path(self.talk.name).read_text().splitlines()
        self.talk.close()
        return code, [line for line in said if not READY.search(line)]


class Connection:
    """One connection. Requests are bytes as they go over the wire."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, bodiless=False):
        """The next answer's status and its body."""
        while (end := self.kept.find(b"\r\n\r\n")) < 0:
            self._more()
        head, self.kept = self.kept[: end + 2], self.kept[end + 4 :]
        status = int(head[9:12])
        if bodiless or status in (204, 304):
            return status, b""
        if CHUNKED.search(head):
            return status, self._chunks()
        length = LENGTH.search(head)
        return status, self._take(int(length[1])) if length else b""

    def _more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.kept += data

    def _take(self, count):
        while len(self.kept) < count:
            self._more()
        data, self.kept = self.kept[:count], self.kept[count:]
        return data

    def _chunks(self):
        body = []
        while True:
            while (end := self.kept.find(b"\r\n")) < 0:
                self._more()
            size = int(self.kept[:end].split(b";")[0], 16)
            self.kept = self.kept[end + 2 :]
            body.append(self._take(size))
            self._take(2)
            if size == 0:
                return b"".join(body)

    def close(self):
        self.socket.close()


def request(method, path, user, headers=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: soak", f"X-Dtaas-Gateway: {SECRET}", f"X-Forwarded-User: {user}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
