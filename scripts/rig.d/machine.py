"""Machines of the rig, for programs that measure and soak."""

import os
import pathlib
import subprocess

RIG = pathlib.Path(__file__).resolve().parent.parent / "rig"
STATE = pathlib.Path(os.environ.get("DTAAS_RIG_STATE", "/var/lib/dtaas-rig"))


def said(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


class Machine:
    """One of the rig's."""

    def __init__(self, name):
        self.name, self.container = name, f"rig-machine-{name}"
        subprocess.run([RIG, "machine", "up", name], check=True, capture_output=True)
        self.port = said("docker", "container", "port", self.container, "22/tcp").rsplit(":", 1)[1]
        inspect = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        self.address = said("docker", "container", "inspect", "--format", inspect, self.container)
        self.process = said("docker", "container", "inspect", "--format", "{{.State.Pid}}", self.container)

    def lines(self):
        keys = STATE / "machines"
        return (
            f"    kind: ssh\n    address: 127.0.0.1\n    port: {self.port}\n    user: root\n    key: {keys}/key\n"
            f"    known_hosts: {keys}/known_hosts\n    hostname: {self.address}\n"
        )

    def packets(self, change):
        """`--insert` has all of them vanish from now on, `--delete` lets them through again."""
        for chain, side in (("PREROUTING", "-i"), ("POSTROUTING", "-o")):
            inside = ["nsenter", "-t", self.process, "-n", "iptables", "-w", "-t", "mangle"]
            said(*inside, change, chain, side, "eth0", "-j", "DROP")

    def run(self, *argv):
        return said("docker", "exec", self.container, *argv)

    def started(self):
        """When each container there was started: another time is another run."""
        names = self.run("docker", "ps", "--quiet").split()
        return self.run("docker", "inspect", "--format", "{{.Name}} {{.State.StartedAt}}", *names) if names else ""

    def end(self):
        subprocess.run([RIG, "machine", "down", self.name], check=False, capture_output=True)
