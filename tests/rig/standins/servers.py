"""Starts the stand-ins as processes of this machine and asks them, for their tests."""

import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

IMAGES = os.path.join(os.path.dirname(__file__), "..", "images")
PATHS = [os.path.join(IMAGES, name) for name in ("standin", "influxdb", "grafana")]


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.text = body.decode()

    @property
    def json(self):
        return json.loads(self.text)


class NotLed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask(method, url, body=None, headers=None, basic=None, authority=None, type="application/json"):
    """The answer of a server, whatever its status; what is led elsewhere is not followed."""
    headers = dict(headers or {})
    if basic:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    if body is not None:
        headers.setdefault("Content-Type", type)
    request = urllib.request.Request(url, body.encode() if isinstance(body, str) else body, headers, method=method)
    context = ssl.create_default_context(cafile=authority) if authority else None
    opener = urllib.request.build_opener(NotLed, urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=20) as reply:
            return Answer(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GF_", "INFLUX", "DOCKER_INFLUXDB"))}
    # The images are made of what is in their directories, so nothing may be left there.
    return {**clean, "PYTHONPATH": os.pathsep.join(PATHS), "PYTHONDONTWRITEBYTECODE": "1", **more}


def python(main, *arguments, env=None, stdin=None):
    """A command of the stand-ins, run to its end."""
    code = f"import sys; from {main} import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", code, *arguments], env=environment(env or {}), input=stdin, text=True,
                          capture_output=True, timeout=60, check=False)


class Process:
    """A server that answers, until it is ended."""

    def __init__(self, main, arguments, env, alive, authority=None):
        code = f"import sys; from {main} import main; sys.exit(main(sys.argv[1:]))"
        self.process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment(env), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                ask("GET", alive, authority=authority)
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.end()
                    raise
                time.sleep(0.05)

    def end(self):
        self.process.terminate()
        return self.process.wait(timeout=20)


def certificate(directory, name="localhost"):
    """Paths of a self-signed certificate and its key."""
    paths = os.path.join(directory, "certificate.pem"), os.path.join(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def refused(self, answer, status, message):
        self.assertEqual((answer.status, answer.json["message"]), (status, message))


class InfluxDB(Case):
    """A server that is set up, and shorthands to ask it."""

    def start(self, env=None, scheme="http", authority=None):
        self.port = getattr(self, "port", None) or free_port()
        self.url = f"{scheme}://localhost:{self.port}"
        env = {"INFLUXD_BOLT_PATH": f"{self.directory}/influxd.bolt", "INFLUXD_ENGINE_PATH": f"{self.directory}/engine",
               "INFLUXD_HTTP_BIND_ADDRESS": f":{self.port}", **(env or {})}
        self.process = Process("influxdb.server", [], env, f"{self.url}/health", authority)
        self.addCleanup(self.process.end)

    def set_up(self):
        body = {"username": "admin", "password": "correct horse", "org": "plant", "bucket": "first", "token": "operator"}
        answer = ask("POST", f"{self.url}/api/v2/setup", body)
        self.assertEqual(answer.status, 201)
        self.org = answer.json["org"]["id"]
        self.admin = answer.json["user"]["id"]
        return answer.json

    def api(self, method, path, body=None, token="operator", type="application/json"):
        return ask(method, f"{self.url}/api/v2{path}", body, {"Authorization": f"Token {token}"} if token else {}, type=type)

    def bucket(self, name):
        answer = self.api("POST", "/buckets", {"orgID": self.org, "name": name})
        self.assertEqual(answer.status, 201, answer.text)
        return answer.json["id"]

    def token(self, *rights):
        """A token that may do (action, bucket's id) for each of these, and its authorization's id."""
        permissions = [{"action": action, "resource": {"type": "buckets", "id": id, "orgID": self.org}} for action, id in rights]
        answer = self.api("POST", "/authorizations", {"orgID": self.org, "permissions": permissions})
        self.assertEqual(answer.status, 201, answer.text)
        return answer.json["token"], answer.json["id"]

    def write(self, bucket, line, token="operator", more=""):
        return self.api("POST", f"/write?org=plant&bucket={bucket}{more}", line, token, "text/plain; charset=utf-8")

    def query(self, flux, token="operator", annotations=()):
        return self.api("POST", "/query?org=plant", {"query": flux, "dialect": {"annotations": list(annotations)}}, token)


class Grafana(Case):
    """A server and its administrator."""

    ADMIN = ("admin", "first secret")

    def start(self, env=None, scheme="http", authority=None, path=""):
        self.port = getattr(self, "port", None) or free_port()
        self.url = f"{scheme}://localhost:{self.port}{path}"
        env = {"GF_PATHS_DATA": self.directory, "GF_SERVER_HTTP_PORT": str(self.port), "GF_SECURITY_ADMIN_PASSWORD": self.ADMIN[1],
               **(env or {})}
        self.process = Process("grafana.server", ["server"], env, f"{self.url}/api/health", authority)
        self.addCleanup(self.process.end)

    def api(self, method, path, body=None, basic=ADMIN, headers=None, org=None):
        headers = {**(headers or {}), **({"X-Grafana-Org-Id": str(org)} if org else {})}
        return ask(method, f"{self.url}/api{path}", body, headers, basic)

    def user(self, login, org=0):
        body = {"login": login, "password": f"{login}'s secret", "OrgId": org}
        answer = self.api("POST", "/admin/users", body)
        self.assertEqual(answer.status, 200, answer.text)
        return answer.json["id"]

    def org(self, name):
        answer = self.api("POST", "/orgs", {"name": name})
        self.assertEqual(answer.status, 200, answer.text)
        return answer.json["orgId"]
