"""Deployments of the benchmarks' own, below their scratch directory."""

import os
import pathlib
import shutil
import socket

import measure

# Nothing of the rig or of the tests lies in it.
POOL = os.environ.get("DTAAS_BENCH_POOL", "10.239.0.0/16")


class Deployment:
    """A deployment with users u0001, u0002, …; all have the password of the first one."""

    def __init__(self, bench, label, users=1, flags=()):
        self.bench = bench
        self.name = f"{bench.mark}-{label}"
        self.root = bench.scratch / label
        self.output = bench.scratch / f"{label}.out"
        self.ports = dict(zip(["http", "https", "auth", "website", "library"], free_ports(5)))
        credentials = bench.scratch / f"{label}.credentials"
        ports = [word for name, port in self.ports.items() for word in (f"--{name}-port", port)]
        self.dtaas(
            "init", "--domain", "127.0.0.1", "--bind", "127.0.0.1", "--name", self.name, "--users", user(1), "--tls", "off",
            "--pool", POOL, "--credentials-file", credentials, *ports, *flags,
        )
        self.password = credentials.read_text().strip().split(":", 1)[1]
        for number in range(2, users + 1):
            self.copy_user(number)
        if users > 1:
            self.dtaas("render")

    def argv(self, *words):
        return [self.bench.dtaas, "-C", self.root, *words]

    def dtaas(self, *words, engine=True):
        """Runs our program in it; answers the seconds it took."""
        env = None if engine else dict(os.environ, DOCKER_HOST="unix:///nonexistent")
        return measure.run(self.argv(*words), self.output, env=env)

    def copy_user(self, number):
        """Makes a user as `user add` would, without the cost of a hash."""
        first, name = user(1), user(number)
        entry = (self.root / "auth" / first).read_text().split(":", 1)[1]
        put(self.root / "auth" / name, f"{name}:{entry}", 0o600)
        text = (self.root / "users" / f"{first}.yaml").read_text()
        put(self.root / "users" / f"{name}.yaml", text.replace("slot: 0\n", f"slot: {number - 1}\n"), 0o644)

    def forget_user(self, number):
        """Takes a copied user away."""
        name = user(number)
        (self.root / "auth" / name).unlink()
        (self.root / "users" / f"{name}.yaml").unlink()
        shutil.rmtree(self.root / "files" / name, ignore_errors=True)

    def files(self):
        """Every file in it but the lock, which names who held it last, and the history, to which each run adds."""
        left_out = (self.root / ".lock", self.root / "history")
        found = files_below(self.root)
        return {path: state for path, state in found.items() if path not in left_out and path.parent not in left_out}


def user(number):
    return f"u{number:04}"


def put(path, text, mode):
    """Writes a file beside, and renames it into place."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    beside.rename(path)


def files_below(root):
    """Every file, with what changes when it is written."""
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = pathlib.Path(directory, name)
            state = path.lstat()
            found[path] = (state.st_ino, state.st_mtime_ns, state.st_ctime_ns)
    return found


def touched(before, after):
    """The files that were written, made or removed in between."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


_given = set()


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens at, below those that the kernel gives to outgoing connections."""
    found = []
    for port in range(21_000 + os.getpid() % 100 * 50, 32_000):
        if len(found) == count:
            break
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("0.0.0.0", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            found.append(port)
    return found
