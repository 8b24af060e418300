"""Requests through the gateway: with our auth, with Traefik's own basic auth, and with none."""

import base64
import http.client
import os
import shutil
import urllib.parse

import engine
import image
import load
from deployment import Deployment, free_ports, put, user
from measure import Budget, Failed, Row, Series, run

TITLE = "requests through the gateway, beside the same gateway with another auth"
PAGE = "/static/style.css"
CONNECTIONS = 32
USERS = 32


def measure(bench):
    if not bench.wrk:
        return [], ["wrk is not here; a run without --quick fetches it."]
    deployment = platform(bench, "gateway")
    # They look at the website alone, so they need no workspaces.
    for number in range(2, USERS + 1):
        deployment.copy_user(number)
    deployment.dtaas("render")
    none, apr1 = Gateway(bench, deployment, "none"), Gateway(bench, deployment, "apr1")
    none.without_auth()
    apr1.with_basic_auth()
    ports = {"endpoint": deployment.ports["http"], "none": none.start(), "apr1": apr1.start()}
    names = [user(number) for number in range(1, USERS + 1)]
    passwords = [basic(name, deployment.password) for name in names]
    headers = {kind: passwords for kind in ports} | {"endpoint": [session(deployment, name) for name in names]}
    for kind, port in ports.items():
        # Everybody once: from then on they are known.
        seen = [[status(port, one) for one in headers[kind]][-1], status(port, None)]
        if seen != [200, 200 if kind == "none" else 401]:
            raise Failed(f"the gateway with auth {kind} answers {seen} with and without credentials")
    asked = []
    for _ in range(bench.repeat(5, 1)):
        url = f"http://127.0.0.1:{deployment.ports['auth']}/authz"
        asked.append(load.wrk(bench, url, CONNECTIONS, load.seconds(bench), "users.lua", headers["endpoint"])[0])
    what = f"questions a second to the endpoint itself, sessions of {USERS} users"
    rows = [Row(what, Series(asked), "/s", budget=Budget.at_least(15000, "/s"))]
    for users, many in ((f"{USERS} users", USERS), ("one user", 1)):
        rates, slowest = {kind: [] for kind in ports}, {kind: [] for kind in ports}
        for _ in range(bench.repeat(5, 1)):
            for kind, port in ports.items():
                url = f"http://127.0.0.1:{port}{PAGE}"
                rate, p99 = load.wrk(bench, url, CONNECTIONS, load.seconds(bench), "users.lua", headers[kind][:many])
                rates[kind].append(rate)
                slowest[kind].append(p99)
        rates = {kind: Series(values) for kind, values in rates.items()}
        slowest = {kind: Series(values) for kind, values in slowest.items()}
        ours = rates["endpoint"]
        rows += [
            Row(f"requests a second of {users}, beside none", ours, "/s", peer=rates["none"], budget=Budget.ratio_at_least(0.2)),
            Row(f"requests a second of {users}, beside apr1", ours, "/s", peer=rates["apr1"], budget=Budget.ratio_at_least(1)),
            Row(f"99 of 100 of {users} answered within, beside none", slowest["endpoint"], "s", peer=slowest["none"]),
            Row(f"99 of 100 of {users} answered within, beside apr1", slowest["endpoint"], "s", peer=slowest["apr1"]),
        ]
    size = len(page(deployment.ports["http"], headers["endpoint"][0]))
    return rows, [
        f"wrk on loopback, {CONNECTIONS} kept connections, {load.seconds(bench)} s a turn, the three in turn; plain http; gateway, endpoint, "
        "website and wrk share the processors.",
        f"All three lead to the same file of the same website ({size} bytes). The last is `auth: basic` with apr1 entries, as v0.2's.",
        "Traefik checks one user's password once for all requests that wait for it together, so many connections of one user are its best case.",
    ]


def session(deployment, name):
    """The cookie of a user who has signed in on the page, as on this machine without TLS."""
    connection = http.client.HTTPConnection("127.0.0.1", deployment.ports["http"], timeout=30)
    form = urllib.parse.urlencode({"user": name, "password": deployment.password, "to": "/"})
    connection.request("POST", "/signin", form, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    cookie = answer.getheader("Set-Cookie")
    connection.close()
    if answer.status != 303 or not cookie:
        raise Failed(f"{name} cannot sign in: {answer.status}")
    return "Cookie: " + cookie.split(";")[0]


def basic(name, password):
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def platform(bench, label):
    """A platform that is up, with one user."""
    deployment = Deployment(bench, label, 1, ["--image-prefix", os.environ["DTAAS_RIG_REGISTRY"]])
    image.use(deployment, image.make(bench, 1))
    deployment.dtaas("up")
    return deployment


class Gateway:
    """Another gateway on the side of a deployment's own, at a port of its own, with what the same deployment would render for it."""

    def __init__(self, bench, deployment, label):
        self.bench = bench
        self.password = deployment.password
        self.root = bench.scratch / f"{deployment.root.name}-{label}"
        self.port = free_ports(1)[0]
        self.output = bench.scratch / "gateway.out"
        shutil.copytree(deployment.root, self.root)
        self.change("dtaas.yaml", f"  http: {deployment.ports['http']}\n", f"  http: {self.port}\n")
        self.render()

    def change(self, name, old, new):
        path = self.root / name
        text = path.read_text()
        if old not in text:
            raise Failed(f"{name} has no {old!r}")
        put(path, text.replace(old, new), path.stat().st_mode & 0o777)

    def render(self):
        run([self.bench.dtaas, "-C", self.root, "render"], self.output)

    def without_auth(self):
        self.change("config/gateway/dynamic/platform.yml", "middlewares: [any-user, from-gateway]", "middlewares: [from-gateway]")

    def with_basic_auth(self):
        for entry in (self.root / "auth").iterdir():
            run(["openssl", "passwd", "-apr1", self.password], self.output)
            put(entry, f"{entry.name}:{self.output.read_text()}", 0o600)
        self.change("dtaas.yaml", 'auth: "session"', 'auth: "basic"')
        self.render()

    def start(self, dynamic=None):
        """Runs it as the deployment's own is run; answers its port once it does."""
        config = self.root / "config/gateway"
        engine.docker(
            "run", "--detach", "--label", self.bench.label, "--network", "host", "--user", "0:0", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--volume", f"{config}/static:/static:ro",
            "--volume", f"{dynamic or config / 'dynamic'}:/dynamic:ro",
            os.environ["DTAAS_RIG_GATEWAY_IMAGE"], "--configFile=/static/traefik.yml",
        )
        self.bench.await_(lambda: status(self.port, None, "/healthz") == 200, f"the gateway at port {self.port}")
        return self.port


def shown(credentials):
    """A header of the form `Name: value`, as the library takes it."""
    return dict([credentials.split(": ", 1)]) if credentials else {}


def status(port, credentials, path=PAGE):
    """What a page is answered with; nothing while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=shown(credentials))
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def page(port, credentials):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", PAGE, headers=shown(credentials))
    body = connection.getresponse().read()
    connection.close()
    return body
