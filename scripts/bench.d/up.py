"""`up` beside `docker compose up -d` of the same containers and networks."""

import calendar
import http.client
import os
import threading
import time
from ipaddress import ip_network

import compose
import engine
import image
from deployment import POOL, Deployment, user
from measure import Budget, Failed, Row, Series, run

TITLE = "up, beside docker compose with the same containers and networks"
# Seconds until what was started has to answer.
PATIENCE = 180


def measure(bench):
    users = bench.repeat(20, 3)
    workspace = image.make(bench, users)
    deployment = Deployment(bench, "up", users, ["--image-prefix", os.environ["DTAAS_RIG_REGISTRY"]])
    image.use(deployment, workspace)
    # Once before anything counts, so that nobody has the first touch of the images, and for compose's file.
    deployment.dtaas("up")
    peer = Compose(bench, deployment) if bench.compose else None
    deployment.dtaas("down", "--yes")
    ours, theirs = Side(deployment, users), Side(deployment, users)
    for _ in range(bench.repeat(3, 1)):
        ours.round(bench, lambda: deployment.dtaas("up"), lambda: deployment.dtaas("down", "--yes"))
        if peer:
            theirs.round(bench, lambda: peer.run("up", "-d"), lambda: peer.run("down", "--timeout", "1"))
    faster = Budget.ratio_at_most(1)
    rows = [
        Row(label, Series(ours.took[key]), "s", peer=Series(theirs.took[key]) if peer else None, budget=budget)
        for label, key, budget in (
            ("from nothing, until the last container has started", "started", faster),
            ("from nothing, until everything answers", "answers", faster),
            ("from nothing, until the command is over", "over", None),
            ("with nothing to do", "again", faster),
            ("down", "down", None),
        )
    ]
    notes = [
        f"{users} workspaces of a trivial image (busybox httpd) with gateway, auth endpoint, website and library: "
        "the engine's work, without what JupyterLab takes to start. No pulls.",
        "Ours also sets the firewall, makes the image of its executable anew each time, and waits until all answer; compose does not wait. "
        "When the last container has started is the engine's own account; that everything answers is seen by the same observer on both sides.",
        *([f"The peer is docker compose {peer.version}; its file was made from what `docker inspect` says of ours: {peer.size}."] if peer else []),
    ]
    if not peer:
        notes.append("docker compose is not here; a run without --quick installs it.")
    return rows, notes


class Compose:
    """docker compose with the same objects."""

    def __init__(self, bench, deployment):
        self.argv = [bench.compose, "--ansi", "never", "--project-name", bench.mark]
        self.file = bench.scratch / "compose.json"
        self.output = bench.scratch / "compose.out"
        services, networks = compose.write(bench, deployment, self.file)
        self.size = f"{services} containers, {networks} networks"
        run([bench.compose, "version", "--short"], self.output)
        self.version = self.output.read_text().strip()
        # `down` of ours takes the image of our executable along.
        own = next(word for word in engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split() if f"/{deployment.name}:" in word)
        kept = f"dtaas-bench/own:{os.getpid()}"
        box = engine.docker("create", "--network", "none", own).strip()
        engine.docker("commit", "--change", f"LABEL {bench.label}", box, kept)
        engine.docker("rm", box)
        self.file.write_text(self.file.read_text().replace(own, kept))

    def run(self, *words):
        return run([*self.argv, "--file", self.file, *words], self.output)


class Side:
    """What one of the two took."""

    def __init__(self, deployment, users):
        self.deployment = deployment
        self.users = users
        self.took = {key: [] for key in ("started", "answers", "over", "again", "down")}

    def round(self, bench, up, down):
        """From nothing, then with nothing to do, then to nothing."""
        before = set(engine.docker("ps", "--all", "--quiet", "--no-trunc").split())
        observer = Observer(self.deployment, self.users)
        wall = time.time()
        began = time.perf_counter()
        observer.start()
        self.took["over"].append(up())
        observer.join()
        if observer.silent:
            raise Failed(f"these do not answer: {sorted(observer.silent)}")
        self.took["answers"].append(observer.ended - began)
        made = set(engine.docker("ps", "--all", "--quiet", "--no-trunc").split()) - before
        mine = [one for one in engine.inspect_all(made) if is_mine(one, bench, self.deployment)]
        if len(mine) != self.users + 4:
            raise Failed(f"{len(mine)} containers were made instead of {self.users + 4}")
        self.took["started"].append(max(moment(one["State"]["StartedAt"]) for one in mine) - wall)
        for _ in range(bench.repeat(3, 1)):
            self.took["again"].append(up())
        self.took["down"].append(down())


def is_mine(found, bench, deployment):
    """Other work on the machine makes containers as well."""
    labels = found["Config"]["Labels"] or {}
    label, value = bench.label.split("=")
    of_peer = labels.get(label) == value and "com.docker.compose.project" in labels
    return of_peer or labels.get("dtaas.instance") == engine.instance(deployment.root)


def moment(text):
    """Seconds since 1970 of the engine's `2026-11-24T17:58:56.123456789Z`."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


class Observer:
    """Asks everything that is to come up, side by side, until all of it has answered."""

    def __init__(self, deployment, users):
        ports = deployment.ports
        here = "127.0.0.1"
        self.silent = {(address(number), 8080, f"/{user(number)}/", 200) for number in range(1, users + 1)}
        self.silent |= {(here, ports["http"], "/healthz", 200), (here, ports["http"], "/", 401)}
        self.silent |= {(here, ports[name], "/healthz", None) for name in ("auth", "website", "library")}
        self.threads = [threading.Thread(target=self.ask, args=[one], daemon=True) for one in self.silent]
        self.ended = None

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def ask(self, one):
        give_up = time.monotonic() + PATIENCE
        while not answers(*one):
            if time.monotonic() > give_up:
                return
            time.sleep(0.03)
        self.ended = time.perf_counter()
        self.silent.discard(one)


def address(number):
    """A workspace's: see `Spec::subnet`."""
    return str(ip_network(POOL)[(number - 1) * 8 + 2])


def answers(host, port, path, wanted):
    connection = http.client.HTTPConnection(host, port, timeout=0.2)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
        return wanted is None or status == wanted
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
