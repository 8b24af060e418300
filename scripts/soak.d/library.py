"""Asks the library server for all that it has, a day's worth of times, and looks whether it stays as it was."""

import collections
import json
import multiprocessing
import random
import socket
import statistics
import time

import server
from server import Connection, Server, request
from talk import say

CLIENTS = 3
USERS = 20
# Requests on the way at a time, on one connection.
WINDOW = 16
# Windows before a client comes back on a new connection.
WINDOWS = 200
# Of the samples, those before this part of the run do not count: buffers and caches fill up first.
WARM = 0.2
# What the later half may have more than the earlier one, in KiB.
SLACK = 4096

LIST = """query($path: String!) { listDirectory(path: $path) { repository { tree {
  trees { edges { node { name } } } blobs { edges { node { name } } } } } } }"""
READ = "query($path: String!) { readFile(path: $path) { repository { blobs { nodes { name rawBlob } } } } }"
SEARCH = 'query($path: String!) { search(path: $path, name: "model-0", first: 10) { edges { cursor } truncated } }'
TWINS = "query($path: String!) { digitalTwins(path: $path) { __typename } }"


def post(user, query, path, text=None):
    body = (text or json.dumps({"query": query, "variables": {"path": path}})).encode()
    return request("POST", "/lib", user, ["Content-Type: application/json"], body)


class Mix:
    """What is asked for, and the statuses that the answer may have."""

    def __init__(self, user, chance):
        self.user, self.chance = user, chance
        self.number = 0
        many = [
            (24, self.list, {200}, b'"edges"'),
            (20, self.read, {200}, b'"rawBlob"'),
            (8, self.words_of_their_own, {200}, b'"edges"'),
            (4, self.somebody_elses, {200}, b"NOT_FOUND"),
            (2, self.no_graphql, {400}, b"GRAPHQL_PARSE_FAILED"),
            (2, self.no_json, {400}, b"BAD_REQUEST"),
            (3, self.nobody, {401}, b"UNAUTHENTICATED"),
            (12, self.file, {200}, b"k = "),
            (4, self.part, {206}, b""),
            (3, self.unchanged, {304}, b""),
            (3, self.head, {200}, b""),
            (4, self.entries, {200}, b"README.md"),
            (3, self.put, {201, 204}, b""),
            (1, self.delete, {204, 404}, b""),
            (1, self.move, {201, 204, 404}, b""),
            (1, self.upload_in_parts, {308}, b""),
            (1, self.search, {200}, b'"cursor"'),
            (1, self.twins, {200}, b"DigitalTwin"),
            (0.3, self.zip, {200}, b"PK"),
            (0.2, self.large, {200}, b"0.1,"),
        ]
        self.weights = [weight for weight, *_ in many]
        self.kinds = [kind for _, *kind in many]
        self.tag = None

    def one(self):
        make, statuses, holds = self.chance.choices(self.kinds, self.weights)[0]
        self.number += 1
        return make.__name__, make(), statuses, holds

    def address(self, path):
        return f"/lib/files/{self.user}/{path}"

    def list(self):
        return post(self.user, LIST, self.user)

    def read(self):
        return post(self.user, READ, f"{self.user}/README.md")

    def words_of_their_own(self):
        return post(self.user, LIST.replace("query(", f"query Q{self.number}("), f"{self.user}/models")

    def somebody_elses(self):
        return post(self.user, READ, f"user{(int(self.user[4:]) + 1) % USERS:02}/README.md")

    def no_graphql(self):
        return post(self.user, f"{{ broken{self.number}(", "")

    def no_json(self):
        return post(self.user, None, None, "{" * 50)

    def nobody(self):
        return post(self.user, LIST, "").replace(b"X-Dtaas-Gateway", b"X-Nothing-At-All")

    def model(self):
        return self.address(f"models/model-{self.chance.randrange(40):02}.txt")

    def file(self):
        return request("GET", self.model(), self.user)

    def part(self):
        return request("GET", self.address("data/large.csv"), self.user, [f"Range: bytes={self.chance.randrange(1000)}-2000"])

    def unchanged(self):
        return request("GET", self.address("README.md"), self.user, [f"If-None-Match: {self.tag}"])

    def head(self):
        return request("HEAD", self.model(), self.user)

    def entries(self):
        return request("GET", self.address(""), self.user)

    def put(self):
        body = b"%d\n" % self.number * self.chance.randrange(1, 200)
        return request("PUT", self.address(f"data/put-{self.chance.randrange(50)}"), self.user, [], body)

    def delete(self):
        return request("DELETE", self.address(f"data/put-{self.chance.randrange(50)}"), self.user)

    def move(self):
        here, there = self.chance.sample(range(50), 2)
        to = f"Destination: {self.address(f'data/put-{there}')}"
        return request("MOVE", self.address(f"data/put-{here}"), self.user, [to])

    def upload_in_parts(self):
        name = f"data/parts-{self.chance.randrange(5)}?upload=u{self.chance.randrange(5)}"
        return request("PUT", self.address(name), self.user, ["Content-Range: bytes 0-99/1000"], b"x" * 100)

    def search(self):
        return post(self.user, SEARCH, self.user)

    def twins(self):
        return post(self.user, TWINS, self.user)

    def zip(self):
        return request("GET", self.address("digital%20twins?zip"), self.user)

    def large(self):
        return request("GET", self.address("data/large.csv"), self.user)


def rude(port, mix):
    """Goes away in the middle of a request."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        whole = mix.put()
        connection.sendall(whole[: mix.chance.randrange(1, len(whole))])


def client(port, number, count, seed, done, results):
    """Asks `count` times; what came of it goes to `results`."""
    chance = random.Random(seed + number)
    mixes = [Mix(user, chance) for user in server.users(USERS)[number::CLIENTS]]
    outcomes, wrong = collections.Counter(), []
    try:
        connection = Connection(port)
        for mix in mixes:
            connection.send(request("HEAD", mix.address("README.md"), mix.user))
            while b"\r\n\r\n" not in connection.kept:
                connection._more()
            head, _, connection.kept = connection.kept.partition(b"\r\n\r\n")
            mix.tag = next(line[6:].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"etag: "))
        asked = windows = 0
        while asked < count and len(wrong) < 20:
            mix = chance.choice(mixes)
            window = [mix.one() for _ in range(min(WINDOW, count - asked))]
            connection.send(b"".join(data for _, data, _, _ in window))
            for kind, data, statuses, holds in window:
                status, body = connection.answer(bodiless=data.startswith(b"HEAD"))
                outcomes[f"{kind} {status}"] += 1
                if status not in statuses or holds not in body:
                    wrong.append(f"{kind}: {status} {body[:200]!r}")
            asked += len(window)
            windows += 1
            done[number] = asked
            if windows % WINDOWS == 0:
                connection.close()
                rude(port, mix)
                connection = Connection(port)
        connection.close()
    except (OSError, ValueError, StopIteration) as error:
        wrong.append(f"the connection broke: {error!r}")
    results.put((outcomes, wrong))


def verdict(samples, count):
    """Figures of what it took, and whether that stayed."""
    late = [sample for sample in samples if sample[0] >= count * WARM]
    half = len(late) // 2
    if half < 2:
        return {"samples": len(samples)}, False
    early, later = late[:half], late[half:]

    def middle(part, column):
        return statistics.median(sample[column] for sample in part)

    figures = {
        "samples": len(samples),
        "resident_kib_at_the_beginning": samples[0][1],
        "resident_kib_earlier": middle(early, 1),
        "resident_kib_later": middle(later, 1),
        "resident_kib_most": max(sample[1] for sample in samples),
        "descriptors_earlier": middle(early, 2),
        "descriptors_later": middle(later, 2),
        "resident_kib_each_tenth": [round(sample[1]) for sample in late[:: max(1, len(late) // 10)]],
    }
    flat = figures["resident_kib_later"] <= figures["resident_kib_earlier"] + SLACK
    same = figures["descriptors_later"] <= figures["descriptors_earlier"] + 8
    return figures, flat and same


def soak(options, place, chance):
    names = server.users(USERS)
    server.lay_out(place / "files", names)
    library = Server(options.binary, place, ["--writable", "--quota", "1g"])
    done, results = multiprocessing.Array("q", CLIENTS), multiprocessing.Queue()
    share, seed = options.requests // CLIENTS, chance.randrange(1 << 32)
    clients = [
        multiprocessing.Process(target=client, args=(library.port, number, share, seed, done, results), daemon=True)
        for number in range(CLIENTS)
    ]
    samples, begun = [(0, library.resident(), library.descriptors())], time.monotonic()
    pause = min(1.0, options.requests / 100_000)
    try:
        for one in clients:
            one.start()
        while any(one.is_alive() for one in clients) and library.alive():
            if not results.empty() and results.qsize() == CLIENTS:
                break
            time.sleep(pause)
            if library.alive():
                samples.append((sum(done), library.resident(), library.descriptors()))
        ends = [results.get(timeout=server.WAIT) for _ in clients]
    finally:
        took = time.monotonic() - begun
        code, said = library.stop()
    outcomes, wrong = collections.Counter(), []
    for counted, mistakes in ends:
        outcomes.update(counted)
        wrong += mistakes
    figures, stayed = verdict(samples, options.requests)
    figures = {
        "requests": sum(outcomes.values()),
        "seconds": round(took),
        "requests_a_second": round(sum(outcomes.values()) / took),
        **figures,
        "outcomes": dict(sorted(outcomes.items())),
        "wrong": wrong[:20],
        "said": said[:20],
        "ended_with": code,
    }
    fine = stayed and not wrong and code == 0
    say(f"library: {json.dumps(figures)}{'' if fine else '  NOT GOOD'}")
    return figures, fine
