"""A deployment that is soaked: its program, and what its files look like."""

import json
import os
import re
import subprocess

ENTRY = re.compile(r"[a-z0-9._-]+:\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
RANDOM = re.compile(r"[A-Za-z0-9+/=$.]{16,}")
LONGEST = 600


class Dtaas:
    """The binary, on one deployment."""

    def __init__(self, binary, root, engine):
        self.binary, self.root = binary, root
        self.environment = dict(os.environ)
        if not engine:
            self.environment["DOCKER_HOST"] = "unix:///nonexistent"

    def start(self, *words):
        return subprocess.Popen(
            [self.binary, "-C", self.root, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words):
        child = self.start(*words)
        said, _ = child.communicate(timeout=LONGEST)
        return child.returncode, said

    def well(self, *words):
        code, said = self.run(*words)
        if code != 0:
            raise SystemExit(f"soak: dtaas {' '.join(map(str, words))} ended with {code}: {said}")
        return said


def tree(root):
    """The deployment's files, without users' files, services' data, the lock, and the history, to which every run adds."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_file() and name != ".lock" and name.split("/")[0] not in ("files", "data", "history"):
            found[name] = path.read_bytes()
    return found


def form(name, content):
    """What is the same of two files that differ only in what is random in them; None where it is torn."""
    text = content.decode()
    if name.startswith("auth/"):
        return "entry" if ENTRY.fullmatch(text.rstrip("\n")) else None
    if name == "config/gateway/auth":
        return "entries" if all(ENTRY.fullmatch(line) for line in text.split("\n")[:-1]) and text[-1:] in ("", "\n") else None
    if text.startswith("-----BEGIN "):
        return "pem" if text.rstrip("\n").endswith("-----") and text.count("-----") % 4 == 0 else None
    if name.startswith("secrets/"):
        return f"secret of {len(text)}"
    if name.endswith(".json"):
        try:
            json.loads(text)
        except ValueError:
            return None
    if name.startswith("users/"):
        return re.sub(r"(?m)^slot: \d+$", "slot", text)
    return RANDOM.sub("random", text)
