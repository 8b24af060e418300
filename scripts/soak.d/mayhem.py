"""A platform with many users at work, of which something is killed, starved or cut off every few seconds.

Users write files, read back what was acknowledged, and open their desktops; strangers try to get in all the while. What is killed comes
back by itself, by `dtaas heal` or by `dtaas up`, as an operator has it. In the end nothing that was acknowledged is missing, nobody was let
in, and the platform is as it should be.
"""

import base64
import hashlib
import http.client
import json
import os
import random
import re
import ssl
import subprocess
import threading
import time

from deployment import Dtaas
from subjects import free_ports
from talk import say

DOMAIN = "foo.com"
# Users' files lie on a disk of their own, so that it can be filled.
DISK = "size=768m"
# How many requests are under way at a time.
WORKERS = 12
# What a workspace may use, so that one can use it up.
LIMIT = "400m"


def out(*argv, check=True):
    return subprocess.run(argv, check=check, capture_output=True, text=True).stdout.strip()


class Platform:
    """The deployment, and how it is asked."""

    def __init__(self, options, place):
        self.dtaas = Dtaas(options.binary, place / "deployment", engine=True)
        self.root, self.name = self.dtaas.root, f"soak-mayhem-{os.getpid()}"
        self.users = [f"user{number:02}" for number in range(options.crowd)]
        self.ports = free_ports(5)
        self.passwords = {}
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    def begin(self):
        flags = ("http", "https", "auth", "website", "library")
        ports = [word for flag, port in zip(flags, self.ports) for word in (f"--{flag}-port", str(port))]
        credentials = self.root.parent / "credentials"
        self.root.mkdir()
        (self.root / "files").mkdir()
        out("mount", "-t", "tmpfs", "-o", DISK, "none", str(self.root / "files"))
        self.dtaas.well(
            "init", "--domain", DOMAIN, "--users", ",".join(self.users), "--name", self.name, "--pool", "10.234.0.0/22", *ports,
            "--image-prefix", os.environ["DTAAS_RIG_REGISTRY"], "--credentials-file", str(credentials),
        )
        for line in credentials.read_text().splitlines():
            user, password = line.split(":", 1)
            self.passwords[user] = password
        spec = self.root / "dtaas.yaml"
        text = spec.read_text().replace("  writable: false", "  writable: true")
        spec.write_text(re.sub(r'(?m)^    memory: "4g"$', f'    memory: "{LIMIT}"', text))
        begun = time.monotonic()
        self.dtaas.well("up")
        return time.monotonic() - begun

    def end(self):
        self.dtaas.run("down", "--yes")
        subprocess.run(["umount", "-l", str(self.root / "files")], check=False)
        self.dtaas.run("down", "--purge", "--yes")

    def container(self, part):
        return f"dtaas-{self.name}-{part}"

    def process(self, part):
        found = out("docker", "inspect", "--format", "{{.State.Pid}}", self.container(part), check=False)
        return int(found) if found.isdigit() else 0

    def ask(self, method, path, who=None, body=None, patience=10):
        """The status and the body; None where there was no answer."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports[1], timeout=patience, context=self.tls)
        headers = {"Host": f"{DOMAIN}:{self.ports[1]}", "Accept": "*/*"}
        if who:
            pair = f"{who}:{self.passwords[who]}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


class Work:
    """What users do, and what became of it."""

    def __init__(self, platform, chance):
        self.platform, self.chance = platform, chance
        self.lock = threading.Lock()
        self.acknowledged = {}
        self.counts = {"written": 0, "read": 0, "opened": 0, "refused": 0, "failed": 0}
        self.findings = []
        self.over = threading.Event()

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def find(self, text):
        with self.lock:
            if len(self.findings) < 50:
                self.findings.append(text)
        say(f"mayhem: {text}")

    def run(self, seed):
        chance = random.Random(seed)
        number = 0
        while not self.over.is_set():
            number += 1
            user = chance.choice(self.platform.users)
            doing = chance.choices((self.write, self.read, self.open, self.intrude), (3, 4, 2, 2))[0]
            try:
                doing(chance, user, f"{seed % 1000}-{number}")
            except Exception as error:  # What is wrong with the soak itself is to be seen.
                self.find(f"{doing.__name__}: {error!r}")
            time.sleep(chance.uniform(0, 0.05))

    def write(self, chance, user, name):
        body = chance.randbytes(chance.randrange(1, 16_384))
        path = f"/lib/files/{user}/data/{name}.bin"
        answer = self.platform.ask("PUT", path, user, body)
        if answer and answer[0] in (201, 204):
            with self.lock:
                self.acknowledged[path] = hashlib.sha256(body).hexdigest()
            self.count("written")
        else:
            self.count("failed")

    def read(self, chance, user, _):
        with self.lock:
            known = list(self.acknowledged.items())
        if not known:
            return
        path, digest = chance.choice(known)
        owner = path.split("/")[3]
        answer = self.platform.ask("GET", path, owner)
        if answer and answer[0] == 200:
            self.count("read")
            if hashlib.sha256(answer[1]).hexdigest() != digest:
                self.find(f"{path}: what was acknowledged is not what is read")
        elif answer and answer[0] == 404:
            self.find(f"{path}: what was acknowledged is gone")
        else:
            self.count("failed")

    def open(self, chance, user, _):
        answer = self.platform.ask("GET", f"/{user}/lab", user)
        good = bool(answer) and answer[0] == 200
        self.count("opened" if good else "failed")

    def intrude(self, chance, user, _):
        other = chance.choice([one for one in self.platform.users if one != user])
        # Guesses slow down whoever is at the same address, and here all are.
        who = chance.choice((None, other))
        path = chance.choice((f"/{user}/lab", f"/{user}/api/contents", f"/lib/files/{user}/data/"))
        answer = self.platform.ask("GET", path, who)
        if answer and answer[0] < 300:
            self.find(f"{path} was opened by {who or 'nobody'}: {answer[0]}")
        else:
            self.count("refused")


class Mayhem:
    """What is done to the platform, and how long it takes until that part is well."""

    def __init__(self, platform, work, chance):
        self.platform, self.work, self.chance = platform, work, chance
        self.times = {}
        self.someone = lambda: chance.choice(platform.users)

    def well(self, what, probe, patience=180):
        begun = time.monotonic()
        while not probe():
            if time.monotonic() - begun > patience:
                self.work.find(f"{what}: not well after {patience} s")
                break
            time.sleep(0.1)
        took = time.monotonic() - begun
        self.times.setdefault(what, []).append(took)
        return took

    def opens(self, user):
        answer = self.platform.ask("GET", f"/{user}/lab", user, patience=3)
        return bool(answer) and answer[0] == 200

    def serves(self):
        answer = self.platform.ask("GET", "/lib?query=%7B__typename%7D", self.platform.users[0], patience=3)
        return bool(answer) and answer[0] == 200

    def kill(self, part):
        process = self.platform.process(part)
        if process:
            subprocess.run(["kill", "-9", str(process)], check=False, capture_output=True)

    def one(self):
        ways = (self.ours, self.gateway, self.workspace, self.inside, self.stopped, self.network, self.memory, self.disk, self.operators)
        weights = (6, 2, 5, 4, 1, 1, 2, 1, 1)
        self.chance.choices(ways, weights)[0]()

    def ours(self):
        part = self.chance.choice(("auth", "website", "library"))
        user = self.someone()
        self.kill(part)
        self.well(f"{part} killed", lambda: self.opens(user) and self.serves())

    def gateway(self):
        user = self.someone()
        self.kill("gateway")
        self.well("gateway killed", lambda: self.opens(user))

    def workspace(self):
        user = self.someone()
        self.kill(f"workspace-{user}")
        self.well("workspace killed", lambda: self.opens(user))

    def inside(self):
        user = self.someone()
        process = self.platform.process(f"workspace-{user}")
        below = out("pgrep", "-P", str(process), check=False).split()
        for one in below[:3]:
            subprocess.run(["kill", "-9", one], check=False, capture_output=True)
        self.well("process in a workspace killed", lambda: self.opens(user))

    def stopped(self):
        user = self.someone()
        out("docker", "stop", "-t", "0", self.platform.container(f"workspace-{user}"), check=False)
        self.platform.dtaas.run("up", "--wait")
        self.well("container stopped, then up", lambda: self.opens(user))

    def network(self):
        user = self.someone()
        process = self.platform.process(f"workspace-{user}")
        subprocess.run(["nsenter", "-t", str(process), "-n", "ip", "link", "set", "eth0", "down"], check=False, capture_output=True)
        flags = [f"--deployment={self.platform.name}", f"--gateway-port={self.platform.ports[1]}", "--at-most-every=0"]

        def healed():
            # As systemd's timer does.
            self.platform.dtaas.run("heal", *flags)
            return self.opens(user)

        self.well("network cut, then heal", healed)

    def memory(self):
        user = self.someone()
        bystander = self.chance.choice([one for one in self.platform.users if one != user])
        eat = "x = []\nwhile True: x.append(bytearray(10_000_000))"
        out("docker", "exec", self.platform.container(f"workspace-{user}"), "python3", "-c", eat, check=False)
        if not self.opens(bystander) and not self.opens(bystander):
            self.work.find(f"memory of {user} used up: {bystander} is disturbed")
        self.well("memory used up", lambda: self.opens(user))

    def disk(self):
        filler = self.platform.root / "files" / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1M"], check=False, capture_output=True)
        time.sleep(3)
        user = self.someone()
        if not self.opens(user) and not self.opens(user):
            self.work.find("with the library's disk full, a desktop does not open")
        filler.unlink(missing_ok=True)

        def writes():
            answer = self.platform.ask("PUT", f"/lib/files/{user}/data/probe.bin", user, b"x")
            return bool(answer) and answer[0] in (201, 204)

        self.well("disk full, then room", writes)

    def operators(self):
        runs = [self.platform.dtaas.start("up"), self.platform.dtaas.start("render")]
        for run in runs:
            said, _ = run.communicate(timeout=600)
            if run.returncode not in (0, 4):
                self.work.find(f"two operators at once: one ended with {run.returncode}: {said[-400:]}")


def settle(platform, work):
    """As it should be, and with all that was acknowledged; how long that took."""
    begun = time.monotonic()
    code, said = platform.dtaas.run("up", "--wait")
    if code != 0:
        work.find(f"up at the end ended with {code}: {said[-600:]}")
    took = time.monotonic() - begun
    for path, digest in work.acknowledged.items():
        owner, rest = path.removeprefix("/lib/files/").split("/", 1)
        file = platform.root / "files" / owner / rest
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            work.find(f"{path}: what was acknowledged is not on the disk")
    code, said = platform.dtaas.run("plan", "--exit-code")
    if code != 0:
        work.find(f"in the end there is something to do: {said[-600:]}")
    _, said = platform.dtaas.run("doctor", "--json")
    found = json.loads(said[said.index("{"):said.rindex("}") + 1])["findings"]
    for one in found:
        if one["severity"] == "error" and one["check"] != "dns":
            work.find(f"doctor: {one['message']}")
    return took


def soak(options, place, chance):
    platform = Platform(options, place)
    try:
        came_up = platform.begin()
        say(f"mayhem: {len(platform.users)} users came up in {came_up:.0f} s")
        work = Work(platform, chance)
        workers = [threading.Thread(target=work.run, args=(chance.randrange(1 << 30),), daemon=True) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        mayhem = Mayhem(platform, work, chance)
        end = time.monotonic() + options.minutes * 60
        events = 0
        while time.monotonic() < end:
            time.sleep(chance.uniform(0, 2))
            mayhem.one()
            events += 1
        work.over.set()
        for worker in workers:
            worker.join(timeout=60)
        settled = settle(platform, work)
        times = {
            what: {"times": len(took), "median_seconds": round(sorted(took)[len(took) // 2], 2), "longest_seconds": round(max(took), 2)}
            for what, took in sorted(mayhem.times.items())
        }
        for what, figures in times.items():
            say(f"mayhem: {what}: {figures}")
        figures = {
            "users": len(platform.users),
            "minutes": options.minutes,
            "came_up_seconds": round(came_up, 1),
            "events": events,
            "until_well": times,
            "requests": work.counts,
            "acknowledged_files": len(work.acknowledged),
            "up_at_the_end_seconds": round(settled, 1),
            "findings": len(work.findings),
        }
        return figures, not work.findings
    finally:
        platform.end()
