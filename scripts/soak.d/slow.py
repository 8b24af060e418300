"""Ten thousand connections that send or take next to nothing, and one that is in a hurry."""

import json
import resource
import socket
import statistics
import time

import server
from server import Connection, Server, request
from talk import say

READ = "query($path: String!) { readFile(path: $path) { repository { blobs { nodes { name rawBlob } } } } }"
# The fast client may be so much slower, at the 99th of a hundred, than without the slow ones; and in seconds.
WORST = 0.25
OURS = 200


def question(user, path):
    body = json.dumps({"query": READ, "variables": {"path": path}}).encode()
    return request("POST", "/lib", user, ["Content-Type: application/json"], body)


def hurry(port, user, count=500):
    """How long a small question takes, in seconds, each on a connection of its own."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        connection = Connection(port)
        connection.send(question(user, f"{user}/README.md"))
        status, body = connection.answer()
        connection.close()
        took.append(time.perf_counter() - begun)
        if status != 200 or b"about this folder" not in body:
            raise SystemExit(f"soak: slow: the fast client was answered {status} {body[:200]}")
    took.sort()
    return {"median_ms": round(statistics.median(took) * 1e3, 2), "p99_ms": round(took[int(len(took) * 0.99)] * 1e3, 2)}


def hold(port, whole, kinds, count):
    """Connections that have sent a part of a request, and do not take more than a little of the answer."""
    held = []
    for number in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(whole[: kinds[number % len(kinds)]])
        held.append(connection)
    return held


def soak(options, place, _chance):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(options.connections, hard - OURS)
    user = server.users(1)[0]
    server.lay_out(place / "files", [user])
    whole = question(user, f"{user}/data/large.csv")
    head, body = 40, len(whole) - 1
    figures, fine = {"connections": count}, True
    kinds = {"half_a_head": [head], "half_a_body": [body], "an_answer_not_taken": [len(whole)], "all_three": [head, body, len(whole)]}
    for name, ends in kinds.items():
        library = Server(options.binary, place)
        try:
            hurry(library.port, user)
            alone, idle = hurry(library.port, user), library.resident()
            begun = time.monotonic()
            held = hold(library.port, whole, ends, count)
            took = time.monotonic() - begun
            among, resident = hurry(library.port, user), library.resident()
            descriptors = library.descriptors()
            # The server is not to get rid of them meanwhile: that would be no feat.
            still = descriptors - OURS < count <= descriptors
            for connection in held:
                connection.close()
        finally:
            code, said = library.stop()
        figures[name] = {
            "fast_alone": alone,
            "fast_among_them": among,
            "idle_kib": idle,
            "resident_kib": resident,
            "kib_each": round((resident - idle) / count, 1),
            "connected_in_seconds": round(took, 1),
            "descriptors": descriptors,
            "said": said[:5],
            "ended_with": code,
        }
        good = still and among["p99_ms"] < WORST * 1e3 and code == 0
        fine = fine and good
        say(f"slow: {name}: {json.dumps(figures[name])}{'' if good else '  NOT GOOD'}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return figures, fine
