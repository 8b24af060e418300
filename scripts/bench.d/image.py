"""A workspace image that does almost nothing: it answers at port 8080, and ends at once."""

import io
import json
import os
import tarfile

from deployment import user
from engine import docker

# The first process of a container hears only the signals that it asked for.
SERVE = "trap 'exit 0' TERM; /bin/busybox httpd -f -p 8080 -h /www & wait"


def make(bench, users):
    """Makes it, with a page for each user; answers its name without the registry. It is not pushed: an image that is here is not pulled."""
    gateway = os.environ["DTAAS_RIG_GATEWAY_IMAGE"]
    docker("pull", "-q", gateway)
    box = docker("create", "--label", bench.label, "--network", "none", gateway).strip()
    busybox = bench.scratch / "busybox"
    docker("cp", f"{box}:/bin/busybox", busybox)
    docker("rm", "--force", box)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for name in ("workspace", "tmp"):
            folder(tar, name)
        for number in range(1, users + 1):
            folder(tar, f"www/{user(number)}")
            page = tarfile.TarInfo(f"www/{user(number)}/index.html")
            page.size = 3
            tar.addfile(page, io.BytesIO(b"ok\n"))
    name = f"dtaas-bench/workspace:{os.getpid()}"
    entrypoint = json.dumps(["/bin/busybox", "sh", "-c", SERVE])
    docker(
        "import", "--change", f"ENTRYPOINT {entrypoint}", "--change", f"LABEL {bench.label}",
        "-", os.environ["DTAAS_RIG_REGISTRY"] + name, stdin=packed.getvalue(),
    )
    return name


def folder(tar, name):
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o755
    tar.addfile(entry)


def use(deployment, name):
    """Has a deployment's workspaces run it."""
    spec = deployment.root / "dtaas.yaml"
    lines = []
    for line in spec.read_text().splitlines(keepends=True):
        if line.startswith("  image:") and "workspace" in line:
            line = f'  image: "{name}"\n'
        lines.append(line)
    spec.write_text("".join(lines))
