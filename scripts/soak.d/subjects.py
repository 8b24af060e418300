"""The commands that are killed and interrupted, each with a deployment to do it to."""

import ipaddress
import json
import os
import shutil
import socket
import subprocess

from deployment import Dtaas


def free_ports(count):
    """Below those that the kernel gives to outgoing connections."""
    ports = []
    for port in range(26_000 + os.getpid() % 50 * 100, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise SystemExit("soak: no ports are free")


def free_pool():
    routes = subprocess.run(["ip", "-4", "route", "show", "table", "all"], check=True, capture_output=True, text=True).stdout
    for step in range(256):
        pool = ipaddress.ip_network(f"10.238.{(os.getpid() + step) % 256}.0/24")
        if f"{str(pool)[:-4]}" not in routes:
            return str(pool)
    raise SystemExit("soak: no range of addresses is free")


def people(place, count, prefix):
    path = place / f"{prefix}.csv"
    rows = [f"{prefix}{number:03},{prefix}-password-{number},\n" for number in range(1, count + 1)]
    path.write_text("username,password,groups\n" + "".join(rows))
    path.chmod(0o600)
    return path


def copy(source, target):
    """A copy with its owners: shutil's would be root's."""
    subprocess.run(["cp", "-a", "--", source, target], check=True)


def restored(dtaas, kept):
    """Puts a deployment back to what it was."""

    def reset():
        shutil.rmtree(dtaas.root, ignore_errors=True)
        if kept:
            copy(kept, dtaas.root)

    return reset


def keep(dtaas, place, name):
    kept = place / f"{name}-kept"
    copy(dtaas.root, kept)
    (kept / ".lock").unlink(missing_ok=True)
    return kept


def make_init(options, place):
    dtaas = Dtaas(options.binary, place / "init", engine=False)
    names = ",".join(f"user{number:03}" for number in range(1, options.users + 1))
    words = ["init", "--domain", "foo.com", "--users", names]
    return {"dtaas": dtaas, "words": words, "settled": ["render", "--check"], "reset": restored(dtaas, None)}


def make_add(options, place):
    dtaas = Dtaas(options.binary, place / "add", engine=False)
    dtaas.well("init", "--domain", "foo.com", "--users", "alice")
    words = ["user", "add", "--skip-existing", "--file", people(place, options.users, "user")]
    return {"dtaas": dtaas, "words": words, "settled": ["render", "--check"], "reset": restored(dtaas, keep(dtaas, place, "add"))}


def platform_of_one(options, place, name):
    dtaas = Dtaas(options.binary, place / name, engine=True)
    flags = ("http", "https", "auth", "website", "library")
    ports = [word for flag, port in zip(flags, free_ports(5)) for word in (f"--{flag}-port", str(port))]
    words = ["--domain", "localhost", "--users", "alice", "--name", f"soak-{name}-{os.getpid()}", "--pool", free_pool()]
    dtaas.well("init", *words, *ports, "--image-prefix", os.environ["DTAAS_RIG_REGISTRY"])
    return dtaas


def make_up(options, place):
    dtaas = platform_of_one(options, place, "up")
    # Rendered by `up` as well, so that it has files to write.
    shutil.rmtree(dtaas.root / "config")
    kept = keep(dtaas, place, "up")
    back = restored(dtaas, kept)

    def reset():
        dtaas.well("down", "--yes")
        back()

    return {"dtaas": dtaas, "words": ["up"], "settled": ["plan", "--exit-code"], "reset": reset}


def make_live(options, place):
    dtaas = platform_of_one(options, place, "live")
    dtaas.well("up")

    def reset():
        for row in json.loads(dtaas.well("user", "list", "--json")):
            if row["name"] != "alice":
                dtaas.well("user", "remove", row["name"], "--yes")
        dtaas.well("up")

    words = ["user", "add", "--skip-existing", "--file", people(place, 3, "live")]
    return {"dtaas": dtaas, "words": words, "settled": ["plan", "--exit-code"], "reset": reset}


MAKERS = {"init": make_init, "add": make_add, "up": make_up, "live": make_live}
