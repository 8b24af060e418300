"""The library server beside a bare axum handler, which has the same bytes in memory, and its memory meanwhile."""

import http.client
import json
import os
import resource
import socket
import subprocess
import time

import load
from deployment import put, user
from measure import Budget, Failed, Row, Series, run

TITLE = "the library server, beside a bare axum handler that returns the same bytes"
CONNECTIONS = 32
USERS = 8
SECRET = "between-gateway-and-library"
FOLDERS = ["data", "digital twins", "functions", "models", "tools"]
# Requests a second of v0.2 on two cores, the same questions asked in the same way.
V02 = 1776
LIST = """query directoryList($path: String!) {
  listDirectory(path: $path) {
    repository { tree { blobs { edges { node { name type } } } trees { edges { node { name type } } } } }
  }
}"""
READ = "query fileRead($path: String!) { readFile(path: $path) { repository { blobs { nodes { name rawBlob rawTextBlob } } } } }"
NAMES = "query($path: String!) { listDirectory(path: $path) { repository { tree { blobs { edges { node { name } } } } } } }"


def measure(bench):
    many, huge = bench.repeat(10_000, 500), bench.repeat(100_000, 1000)
    files = Files(bench, many, huge)
    server = Server(bench, files)
    try:
        idle = server.memory("VmRSS")
        bare = Bare(bench, files, server)
        try:
            rows, notes = questions(bench, server, bare)
            rows += listing(bench, server, bare, files, many)
            rows += whole_files(bench, server, bare)
        finally:
            bare.stop()
        rows += memory(bench, server, idle, huge)
    finally:
        server.stop()
    rows += slow_connections(bench, files)
    return rows, notes + [
        f"Every request comes as from the gateway, with its secret, for one of {USERS} users, each in their own folder; LOG_LEVEL is 'info', as "
        "the platform has it, and each request is a line of a file. The bare handler has no users, no containment and no log.",
    ]


class Files:
    """A library on the disk."""

    def __init__(self, bench, many, huge):
        self.top = bench.scratch / "library"
        for owner in [user(number) for number in range(1, USERS + 1)] + ["common"]:
            for folder in FOLDERS:
                (self.top / owner / folder).mkdir(parents=True)
            self.top.joinpath(owner, "README.md").write_text(f"# {owner}\n".ljust(1023, "x") + "\n")
        owner = self.top / user(1)
        self.many = owner / "data/many"
        self.fill(self.many, many)
        self.fill(owner / "data/huge", huge)
        self.file = owner / "models/model.fmu"
        self.file.write_bytes(os.urandom(1 << 20) * bench.repeat(64, 2))
        with open(owner / "models/recording.bin", "wb") as sparse:
            sparse.truncate(bench.repeat(10 << 30, 64 << 20))

    @staticmethod
    def fill(folder, count):
        folder.mkdir()
        for number in range(count):
            (folder / f"measurement-{number:06}.csv").touch()


class Program:
    """A server of its own, in a file of its own what it says."""

    def __init__(self, bench, name, argv, stdout):
        self.said = bench.scratch / f"{name}.out"
        with open(self.said, "wb") as said:
            streams = {"stdout": subprocess.PIPE if stdout else said, "stderr": said}
            self.child = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, preexec_fn=many_files, **streams)

    def memory(self, what):
        """A line of the kernel's status of it, in bytes."""
        with open(f"/proc/{self.child.pid}/status") as status:
            for line in status:
                if line.startswith(f"{what}:"):
                    return int(line.split()[1]) * 1024
        raise Failed(f"no {what} of the server")

    def stop(self):
        self.child.terminate()
        self.child.wait()


class Server(Program):
    """Ours, as the platform runs it."""

    def __init__(self, bench, files):
        settings, secret = bench.scratch / "lib.env", bench.scratch / "gateway-secret"
        put(settings, f"MODE='local'\nLOCAL_PATH='{files.top}'\nLOG_LEVEL='info'\nAPOLLO_PATH='/lib'\n", 0o600)
        put(secret, SECRET, 0o600)
        argv = [bench.dtaas, "lib", "serve", "--env-file", settings, "--gateway-secret-file", secret, "--listen", "127.0.0.1:0"]
        super().__init__(bench, "library", argv, stdout=False)
        bench.await_(lambda: " at http://" in self.said.read_text(errors="replace"), "the library server")
        ready = self.said.read_text(errors="replace").split(" at http://")[1]
        self.port = int(ready.split("/")[0].rsplit(":")[1])

    def ask(self, query, path, who=1):
        """The answer to a question, as bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/lib", question(query, path), headers(who))
        body = connection.getresponse().read()
        connection.close()
        if b'"errors"' in body:
            raise Failed(f"{path}: {body[:300]!r}")
        return body


class Bare(Program):
    """The handler with nothing behind it."""

    def __init__(self, bench, files, server):
        told = []
        for name, query, path in [("list", LIST, user(1)), ("read", READ, f"{user(1)}/README.md")]:
            told.append(bench.scratch / f"{name}.json")
            told[-1].write_bytes(server.ask(query, path))
        super().__init__(bench, "bare", [bench.bare, "serve", *told, files.file], stdout=True)
        self.port = int(self.child.stdout.readline())


def many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def question(query, path):
    return json.dumps({"query": query, "variables": {"path": path}})


def headers(who):
    return {"Content-Type": "application/json", "X-Dtaas-Gateway": SECRET, "X-Forwarded-User": user(who)}


def questions(bench, server, bare):
    """Requests a second, ours and the bare handler's in turn."""
    rows = []
    for what, query, place, path in [("listDirectory of a user's root", LIST, "list", "{}"), ("readFile of 1 KB", READ, "read", "{}/README.md")]:
        for number in range(1, USERS + 1):
            server.ask(query, path.format(user(number)), number)
        if not bench.wrk:
            continue
        asking = [SECRET]
        for number in range(1, USERS + 1):
            asking += [user(number), question(query, path.format(user(number)))]
        rates, slowest = ([], []), ([], [])
        for _ in range(bench.repeat(7, 1)):
            for side, url in enumerate([f"http://127.0.0.1:{server.port}/lib", f"http://127.0.0.1:{bare.port}/{place}"]):
                rate, p99 = load.wrk(bench, url, CONNECTIONS, load.seconds(bench), "library.lua", asking)
                rates[side].append(rate)
                slowest[side].append(p99)
        ours, peer = Series(rates[0]), Series(rates[1])
        rows += [
            Row(f"{what}, requests a second", ours, "/s", peer=peer, budget=Budget.ratio_at_least(0.2)),
            Row(f"{what}, eight times v0.2's", ours, "/s", budget=Budget.at_least(8 * V02, "/s")),
            Row(f"{what}, 99 of 100 answered within", Series(slowest[0]), "s", peer=Series(slowest[1])),
        ]
    if not bench.wrk:
        return rows, ["wrk is not here; a run without --quick fetches it."]
    return rows, [f"wrk on loopback, {CONNECTIONS} kept connections, {load.seconds(bench)} s a turn, the two in turn; wrk and the servers share the processors."]


def listing(bench, server, bare, files, many):
    """A large directory, beside the least that can be done to list it."""
    count = bench.repeat(50, 3)
    out = bench.scratch / "floor.out"
    run([bench.bare, "floor", files.many, count], out)
    floor = Series([int(line) / 1e9 for line in out.read_text().split()])
    path = f"{user(1)}/data/many"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def once():
        began = time.perf_counter()
        connection.request("POST", "/lib", question(NAMES, path), headers(1))
        body = connection.getresponse().read()
        took = time.perf_counter() - began
        found = len(json.loads(body)["data"]["listDirectory"]["repository"]["tree"]["blobs"]["edges"])
        if found != many:
            raise Failed(f"{found} of {many} entries")
        return took

    ours = Series([once() for _ in range(count)])
    connection.close()
    what = f"a directory of {many:,} entries, beside getdents, sort and JSON alone"
    return [Row(what, ours, "s", peer=floor, budget=Budget.ratio_at_most(5))]


def whole_files(bench, server, bare):
    """Files as files, whole and in parts."""
    ours = f"http://127.0.0.1:{server.port}/lib/files/{user(1)}/models/model.fmu"
    theirs = f"http://127.0.0.1:{bare.port}/file"
    size = bench.repeat(64, 2)
    sides = [(ours, headers(1)), (theirs, {})]
    rows = []
    for what, length in [(f"a file of {size} MiB", size << 20), ("64 KiB of it by Range", 64 << 10), ("1 KiB of it by Range", 1 << 10)]:
        part = {} if length == size << 20 else {"Range": f"bytes=0-{length - 1}"}
        rates = ([], [])
        for _ in range(bench.repeat(5, 1)):
            for side, (url, known) in enumerate(sides):
                rates[side].append(load.fetch(url, dict(known, **part), length, load.seconds(bench)))
        rows.append(Row(f"{what}, bytes a second", Series(rates[0]), "B/s", peer=Series(rates[1]), budget=Budget.ratio_at_least(0.5)))
    return rows


def memory(bench, server, idle, huge):
    """What it holds: before anything was asked, and at most until now, with what is largest."""
    rows = [Row("memory before the first request", Series([idle]), "B", budget=Budget.at_most(20e6, "B"))]
    url = f"http://127.0.0.1:{server.port}/lib/files/{user(1)}/models/recording.bin"
    size = bench.repeat(10 << 30, 64 << 20)
    began = time.perf_counter()
    load.fetch_once(url, headers(1), size)
    rows.append(Row(f"a file of {size / (1 << 30):.2g} GiB, bytes a second", Series([size / (time.perf_counter() - began)]), "B/s"))
    began = time.perf_counter()
    found = server.ask(NAMES, f"{user(1)}/data/huge").count(b'"name"')
    rows.append(Row(f"a directory of {huge:,} entries", Series([time.perf_counter() - began]), "s"))
    if found != huge:
        raise Failed(f"{found} of {huge} entries")
    rows.append(Row("memory at most, in all of this", Series([server.memory("VmHWM")]), "B", budget=Budget.at_most(64e6, "B")))
    return rows


def slow_connections(bench, files):
    """Connections whose request does not end, and a client that is in a hurry."""
    many = bench.repeat(10_000, 200)
    many_files()
    server = Server(bench, files)
    opened = []
    try:
        before = server.memory("VmRSS")
        for _ in range(many):
            connection = socket.create_connection(("127.0.0.1", server.port))
            connection.sendall(b"POST /lib HTTP/1.1\r\nHost: localhost\r\nContent-Le")
            opened.append(connection)
        times = []
        for _ in range(bench.repeat(100, 5)):
            began = time.perf_counter()
            server.ask(READ, f"{user(1)}/README.md")
            times.append(time.perf_counter() - began)
        grown = server.memory("VmRSS") - before
    finally:
        for connection in opened:
            connection.close()
        server.stop()
    return [
        Row(f"memory for {many:,} slow connections", Series([grown]), "B"),
        Row("readFile of 1 KB on a new connection meanwhile", Series(times), "s"),
    ]
