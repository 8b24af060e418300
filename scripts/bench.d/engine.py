"""The docker engine, through its command."""

import hashlib
import json
import os
import shutil
import subprocess

from measure import Failed


def docker(*words, stdin=None):
    """Runs `docker` and answers what it prints."""
    found = subprocess.run(
        ["docker", *map(str, words)], input=stdin, stdin=None if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if found.returncode:
        raise Failed(f"docker {words[0]} failed: {found.stderr.decode(errors='replace').strip()}")
    return found.stdout.decode()


def there():
    """Whether there is an engine at all."""
    return bool(shutil.which("docker")) and subprocess.run(["docker", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def instance(root):
    """What our program labels a deployment's objects with: see `Desired::instance`."""
    return hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]


def has_any(label):
    """Whether any container, network or image bears a label."""
    return there() and any(ids(kind, label) for kind in ("container", "network", "image"))


def remove_all(label):
    """Removes containers, networks and images that bear a label; containers at once, as nobody's work is in them."""
    if not there():
        return
    for kind, force in (("container", ["--force"]), ("network", []), ("image", ["--force"])):
        found = ids(kind, label)
        if found:
            docker(kind, "rm", *force, *found)


def ids(kind, label):
    words = ["--all"] if kind != "network" else []
    return sorted(set(docker(kind, "ls", "--quiet", *words, "--filter", f"label={label}").split()))


def inspect(kind, label):
    """Everything that the engine says of those that bear a label."""
    return inspect_all(ids(kind, label), kind)


def inspect_all(found, kind="container"):
    """The same of these ids."""
    return json.loads(docker(kind, "inspect", *found)) if found else []
