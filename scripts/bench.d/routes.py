"""How soon the routes of new users are live, beside a gateway with Traefik's own settings that reads the same files."""

import base64
import http.client
import threading
import time

from deployment import user
from gateway import Gateway, platform
from measure import Budget, Failed, Row, Series

TITLE = "new users' routes live, beside Traefik with its default settings on the same files"
# Seconds within which each must be.
PATIENCE = 60


def measure(bench):
    users = bench.repeat(200, 20)
    deployment = platform(bench, "routes")
    peer = Gateway(bench, deployment, "default")
    # Traefik waits 2 s after a change unless it is told otherwise.
    peer.change("config/gateway/static/traefik.yml", "  providersThrottleDuration: 300ms\n", "")
    ports = [deployment.ports["http"], peer.start(deployment.root / "config/gateway/dynamic")]
    many, one = Timing(deployment, ports), Timing(deployment, ports)
    more = range(2, users + 2)
    last = users + 2
    for _ in range(bench.repeat(5, 1)):
        many.until_live(more)
        one.until_live([last])
        take_away(bench, deployment, ports, [*more, last])
    rows = [
        Row(f"{users} users, from the last file written until all are routed", Series(many.took[0]), "s", peer=Series(many.took[1])),
        Row(f"one user more on top, from the file written until routed", Series(one.took[0]), "s", peer=Series(one.took[1])),
        Row(f"{users} users' files, with `dtaas render`, start to end", Series(many.render), "s"),
        Row(f"{users} users, from the start of `dtaas render` until all are routed", Series(many.whole), "s", budget=Budget.at_most(5, "s")),
    ]
    return rows, [
        "A route is live when it answers 403 to another user; until then the website answers.",
        "The budget is the design's `effective within seconds`, taken as 5.",
    ]


class Timing:
    """What it took, for each gateway."""

    def __init__(self, deployment, ports):
        self.deployment = deployment
        self.ports = ports
        self.took = [[] for _ in ports]
        self.render = []
        self.whole = []

    def until_live(self, numbers):
        for number in numbers:
            self.deployment.copy_user(number)
        watchers = [Watcher(self.deployment, port, numbers) for port in self.ports]
        began = time.perf_counter()
        for watcher in watchers:
            watcher.start()
        self.render.append(self.deployment.dtaas("render"))
        written = time.perf_counter()
        for watcher, took in zip(watchers, self.took):
            watcher.join()
            if watcher.open:
                raise Failed(f"{len(watcher.open)} routes are not live after {PATIENCE} s at port {watcher.port}")
            took.append(max(0, watcher.ended - written))
        self.whole.append(watchers[0].ended - began)


class Watcher(threading.Thread):
    """Asks a gateway for users' pages as the first user, until all of them are refused."""

    def __init__(self, deployment, port, numbers):
        super().__init__(daemon=True)
        self.port = port
        self.open = [f"/{user(number)}/" for number in numbers]
        credentials = base64.b64encode(f"{user(1)}:{deployment.password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {credentials}"}
        self.ended = None

    def run(self):
        give_up = time.monotonic() + PATIENCE
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        while self.open and time.monotonic() < give_up:
            # The first that is not live yet is asked again, so that waiting costs little.
            if self.refused(connection, self.open[-1]):
                self.open.pop()
                self.ended = time.perf_counter()
            else:
                time.sleep(0.005)
        connection.close()

    def refused(self, connection, path):
        connection.request("GET", path, headers=self.headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status == 403


def take_away(bench, deployment, ports, numbers):
    for number in numbers:
        deployment.forget_user(number)
    deployment.dtaas("render")
    for port in ports:
        watcher = Watcher(deployment, port, numbers)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        bench.await_(lambda: not any(watcher.refused(connection, path) for path in watcher.open), "the routes' going")
        connection.close()
