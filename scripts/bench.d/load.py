"""Load on a server: wrk, and downloads."""

import os
import re
import socket
import subprocess
import time
import urllib.parse

from measure import Failed


def seconds(bench):
    """How long a turn is."""
    return bench.repeat(3, 1)


def wrk(bench, url, connections, lasting, script, arguments):
    """A turn of wrk: requests a second, and within how many seconds 99 of 100 were answered."""
    words = [bench.wrk, "--threads", "1", "--connections", connections, "--duration", f"{lasting}s", "--latency"]
    words += ["--script", bench.repository / "scripts/bench.d" / script, url, "--", *arguments]
    libraries = ":".join(str(path) for path in bench.libraries)
    env = dict(os.environ, LD_LIBRARY_PATH=libraries) if libraries else None
    said = subprocess.run(list(map(str, words)), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
    rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if not rate or not p99 or "Non-2xx" in said or "Socket errors" in said:
        raise Failed(f"wrk says:\n{said}")
    return float(rate[1]), float(p99[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[p99[2]]


class Download:
    """One kept connection that asks for the same thing again and again and throws it away."""

    def __init__(self, url, headers):
        address = urllib.parse.urlsplit(url)
        self.connection = socket.create_connection((address.hostname, address.port), timeout=60)
        lines = [f"GET {address.path} HTTP/1.1", f"Host: {address.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.room = memoryview(bytearray(1 << 20))

    def once(self, size):
        """Fetches so many bytes, and fails where it is another number."""
        self.connection.sendall(self.request)
        head = b""
        while b"\r\n\r\n" not in head:
            got = self.connection.recv(4096)
            if not got:
                raise Failed(f"the connection ended: {head!r}")
            head += got
        head, body = head.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        if not re.match(rb"HTTP/1.1 20[06] ", head) or not length or int(length[1]) != size:
            raise Failed(f"{size} bytes were to come: {head!r}")
        left = size - len(body)
        while left:
            got = self.connection.recv_into(self.room[: min(left, len(self.room))])
            if not got:
                raise Failed(f"{left} of {size} bytes did not come")
            left -= got

    def close(self):
        self.connection.close()


def fetch(url, headers, size, lasting):
    """Bytes a second of one connection, over some seconds."""
    download = Download(url, headers)
    try:
        began = time.perf_counter()
        count = 0
        while count == 0 or time.perf_counter() - began < lasting:
            download.once(size)
            count += 1
        return count * size / (time.perf_counter() - began)
    finally:
        download.close()


def fetch_once(url, headers, size):
    """Fetches something one time."""
    download = Download(url, headers)
    try:
        download.once(size)
    finally:
        download.close()
