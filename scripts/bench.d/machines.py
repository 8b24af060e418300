"""The same platform on this machine, and on one, two and four by SSH; and accounts of many users at the services."""

import json
import os
import subprocess
import time

from deployment import Deployment, put, user
from machine import Machine
from measure import Row, Series, times

TITLE = "one, two and four machines by SSH, beside the same on this one"

USERS_SIDE = ("gateway", "website", "library", "workspace")
# A service of one's own: what there is for it to be is in every rig.
PAGE = "{image: 'traefik:v3.7.15', command: ['--ping', '--entryPoints.traefik.address=:8099'], ports: [8099], health: {port: 8099, path: /ping}, machine: %s}"


def placed(count):
    """Which machine has what."""
    return {
        1: ("a", "a", "a", "a"),
        2: ("a", "b", "b", "b"),
        4: ("a", "b", "c", "d"),
    }[count]


def measure(bench):
    rows, machines = [], []
    repeat = bench.repeat(7, 2)
    try:
        here = Layout(bench, "here", [None])
        ours = here.measure(repeat)
        rows.append(Row("this machine: from nothing, until it is over", ours["first"], "s"))
        for count in (1, 2, 4):
            while len(machines) < count:
                machines.append(Machine(f"{bench.mark}-{len(machines)}"))
            layout = Layout(bench, f"ssh{count}", machines[:count])
            took = layout.measure(repeat)
            what = f"{count} machine{'s' if count > 1 else ''} by SSH"
            rows += [
                Row(f"{what}: from nothing, until it is over", took["first"], "s", peer=ours["first"]),
                Row(f"{what}: up with nothing to do", took["up"], "s", peer=ours["up"]),
                Row(f"{what}: plan with nothing to do", took["plan"], "s", peer=ours["plan"]),
            ]
            if count == 2:
                rows += accounts(bench, layout)
            layout.end()
    finally:
        for machine in machines:
            machine.end()
    return rows, [
        "RabbitMQ, Mosquitto, what stands in for InfluxDB and Grafana, and a page of one's own (Traefik) beside one workspace (the rig's JupyterLab). The machines are containers of this one, so they share its "
        "processors; images are there already.",
        "Accounts: of users who are disabled, so that no workspace is started, at all four services. Whole is the command's time; at a service, the time of "
        "the steps there. InfluxDB and Grafana are stand-ins in Python.",
    ]


class Layout:
    """A deployment over some machines; `None` is this one."""

    def __init__(self, bench, label, machines):
        prefix = ["--image-prefix", os.environ["DTAAS_RIG_REGISTRY"]]
        self.deployment = Deployment(bench, label, 1, prefix)
        names = placed(max(len(machines), 1))
        spec = self.deployment.root / "dtaas.yaml"
        kinds = {name: machine for name, machine in zip("abcd", machines)}
        lines = "".join(f"  {name}:\n{machine.lines() if machine else '    kind: local'}\n" for name, machine in kinds.items())
        text = spec.read_text().replace("machines: {}\n", f"machines:\n{lines}").replace('profile: "single-host"', "profile: ./own.yaml")
        text = text.replace("  custom: {}\n", f"  custom:\n    page: {PAGE % names[3]}\n")
        spec.write_text(text)
        side = "".join(f"  {part}: {names[0]}\n" for part in USERS_SIDE)
        known = "".join(f"  {name}: {{}}\n" for name in kinds)
        put(
            self.deployment.root / "own.yaml",
            f"version: 1\nmachines:\n{known}placement:\n{side}  rabbitmq: {names[1]}\n  mosquitto: {names[2]}\n"
            f"  influxdb: {names[1]}\n  grafana: {names[2]}\n",
            0o644,
        )

    def measure(self, repeat):
        dtaas = self.deployment.dtaas
        # Once before anything counts: images are pulled, and the program is brought there.
        dtaas("up")
        dtaas("down", "--yes")
        first = Series([dtaas("up")])
        return {"first": first, "up": times(repeat, lambda: dtaas("up")), "plan": times(repeat, lambda: dtaas("plan"))}

    def end(self):
        self.deployment.dtaas("down", "--purge", "--yes")


def accounts(bench, layout):
    """How long accounts of many take, and of none."""
    deployment, many = layout.deployment, bench.repeat(100, 5)
    numbers = range(2, many + 2)
    for number in numbers:
        deployment.copy_user(number)
        path = deployment.root / "users" / f"{user(number)}.yaml"
        put(path, path.read_text().replace("enabled: true", "enabled: false"), 0o644)
    names = [user(number) for number in numbers]
    rows = did(deployment, f"accounts of {many} users made", "up")
    rows.append(Row(f"accounts of {many} users: up with nothing to do", times(3, lambda: deployment.dtaas("up")), "s"))
    # It tells no times of steps.
    rows.append(Row(f"accounts of {many} users given other passwords: whole", Series([deployment.dtaas("secret", "rotate", *names)]), "s"))
    rows.append(Row(f"accounts of {many} users then: up with nothing to do", Series([deployment.dtaas("up")]), "s"))
    for number in numbers:
        deployment.forget_user(number)
    return rows + did(deployment, f"accounts of {many} users removed", "up")


def did(deployment, what, command):
    """Runs it; rows of what it took, and of that what the steps about accounts took at each service."""
    began = time.monotonic()
    ran = subprocess.run(deployment.argv(command, "--json"), check=True, capture_output=True, text=True)
    rows = [Row(f"{what}: whole", Series([time.monotonic() - began]), "s")]
    running, took = {}, {}
    for event in map(json.loads, ran.stdout.splitlines()):
        step = (event.get("machine"), event.get("step"))
        if event.get("event") == "step-started" and event["text"].startswith("accounts at"):
            running[step] = event["text"].split(":")[0].rpartition("-")[2]
        elif event.get("event") == "step-done" and step in running:
            service = running.pop(step)
            took[service] = took.get(service, 0) + event["millis"] / 1000
    return rows + [Row(f"{what}: at {service}", Series([took[service]]), "s") for service in sorted(took)]
