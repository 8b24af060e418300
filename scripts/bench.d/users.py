"""How long it takes to add a user, beside the Python tool of the same name; docker has no part in it on either side."""

import os
import shutil

from deployment import Deployment, files_below, touched, user
from measure import Budget, Row, Series, run

TITLE = "user add on a platform that is down, beside the Python tool of the same name"


def measure(bench):
    rows = []
    many = bench.repeat(1000, 100)
    for users in (10, many):
        # Just before, for a machine is not as fast at all times.
        hash_ = bench.core("password/hash")
        ours, ours_touched = add_ours(bench, users)
        theirs = theirs_touched = None
        if bench.peer:
            theirs, theirs_touched = add_theirs(bench, users)
        rows.append(Row(f"user add at {users}", ours, "s", peer=theirs))
        if hash_:
            budget = Budget.at_most(0.050, "s") if users == many else None
            rows.append(Row(f"user add at {users}: the password's hash (bcrypt) in it", hash_, "s"))
            rows.append(Row(f"user add at {users} besides the hash", ours.less(hash_.median), "s", budget=budget))
        budget = Budget.at_most(0, "") if users == many else None
        rows.append(Row(f"user add at {users}: files of others touched", ours_touched, "", peer=theirs_touched, budget=budget))
    if bench.time:
        rows.append(peak_memory(bench, many))
    notes = ["The peer makes no password and runs `docker compose` at the end: here a program that does nothing stands in for docker."]
    if not hash_:
        notes.append("The hash alone: `cargo bench`, which a quick run leaves out.")
    return rows, notes + bench.about_peer()


def add_ours(bench, users):
    deployment = Deployment(bench, f"users-{users}", users)
    file = bench.scratch / "added"
    took, others = [], []
    for number in range(users + 1, users + 1 + bench.repeat(10, 2)):
        name = user(number)
        before = deployment.files()
        took.append(deployment.dtaas("user", "add", name, "--credentials-file", file, engine=False))
        others.append(len(of_others(deployment, name, touched(before, deployment.files()))))
        file.unlink()
    return Series(took), Series(others)


def of_others(deployment, name, paths):
    """Those that are not the new user's, nor the one list of everybody for other programs."""
    return [path for path in paths if name not in str(path) and path != deployment.root / "config/gateway/auth"]


class Theirs:
    """A project of the Python tool's, with so many users in it."""

    def __init__(self, bench, users):
        self.root = bench.scratch / f"peer-{users}"
        self.root.mkdir()
        self.out = bench.scratch / "peer.out"
        self.argv = bench.peer
        bin_ = bench.scratch / "peer-bin"
        bin_.mkdir(exist_ok=True)
        # It would start containers, and change owners as root: neither is measured.
        for name in ("docker", "sudo"):
            stub = bin_ / name
            stub.write_text("#!/bin/sh\n")
            stub.chmod(0o755)
        self.env = dict(os.environ, PATH=f"{bin_}:{os.environ['PATH']}")
        self.run("config", "generate")
        toml = self.root / "dtaas.toml"
        text = toml.read_text().replace('server-dns="localhost"', 'server-dns="foo.com"')
        toml.write_text(text.replace('path="/home/XXX/DTaaS"', f'path="{self.root}"').replace("tls=true", "tls=false"))
        self.run("deployment", "generate", "--type", "insecure-server")
        names = [f"{user(number)},{user(number)}@foo.com,additional,true," for number in range(1, users + 1)]
        csv = self.root / "users.csv"
        csv.write_text("\n".join(["username,email,groups,load_balance,password", *names]) + "\n")
        self.run("user", "add", "--file", csv)

    def run(self, *words):
        return run([*self.argv, *words], self.out, env=self.env, cwd=self.root)


def add_theirs(bench, users):
    project = Theirs(bench, users)
    took, others = [], []
    for number in range(users + 1, users + 1 + bench.repeat(3, 1)):
        name = user(number)
        before = files_below(project.root)
        took.append(project.run("user", "add", name, "--email", f"{name}@foo.com"))
        others.append(sum(1 for path in touched(before, files_below(project.root)) if f"/files/{name}/" not in str(path)))
    return Series(took), Series(others)


def peak_memory(bench, users):
    """Of one user more, both."""
    told = bench.scratch / "users.memory"
    measured = [bench.time, "-f", "%M", "-o", told]
    root = bench.scratch / f"users-{users}"
    credentials = bench.scratch / "added"
    out = bench.scratch / "users.out"
    env = dict(os.environ, DOCKER_HOST="unix:///nonexistent")
    run([*measured, bench.dtaas, "-C", root, "user", "add", "memory", "--credentials-file", credentials], out, env=env)
    ours = Series([int(told.read_text()) * 1024])
    theirs = None
    if bench.peer:
        env = dict(os.environ, PATH=f"{bench.scratch / 'peer-bin'}:{os.environ['PATH']}")
        words = ["user", "add", "memory", "--email", "memory@foo.com"]
        run([*measured, *bench.peer, *words], out, env=env, cwd=bench.scratch / f"peer-{users}")
        theirs = Series([int(told.read_text()) * 1024])
    shutil.rmtree(bench.scratch / f"peer-{users}", ignore_errors=True)
    return Row(f"peak memory of user add at {users}", ours, "B", peer=theirs)
