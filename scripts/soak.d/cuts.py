"""The network to one of two machines is cut at random moments of `up`, both ways and without a word, and mended afterwards."""

import os
import subprocess
import time

from deployment import Dtaas
from machine import Machine
from subjects import free_ports, free_pool
from talk import say

# Seconds after which the other end counts as gone, and as much again for a step in hand.
NOTICED = 40


def prepare(options, place, machines):
    dtaas = Dtaas(options.binary, place / "two", engine=False)
    flags = ("http", "https", "auth", "website", "library")
    ports = [word for flag, port in zip(flags, free_ports(5)) for word in (f"--{flag}-port", str(port))]
    dtaas.well(
        "init", "--domain", "foo.com", "--users", "alice", "--name", f"soak-cut-{os.getpid()}", "--pool", free_pool(), *ports,
        "--image-prefix", os.environ["DTAAS_RIG_REGISTRY"],
    )
    spec = dtaas.root / "dtaas.yaml"
    lines = "machines:\n" + "".join(f"  {name}:\n{machine.lines()}" for name, machine in machines.items())
    text = spec.read_text().replace("machines: {}\n", lines).replace('profile: "single-host"', "profile: two-machine")
    if lines not in text or "profile: two-machine" not in text:
        raise SystemExit("soak: cut: dtaas.yaml is not as it was")
    spec.write_text(text)
    return dtaas


def soak(options, place, chance):
    names = {name: f"soak-{os.getpid()}-{name}" for name in ("dtaas", "services")}
    machines = {}
    try:
        for name, container in names.items():
            machines[name] = Machine(container)
        return cut(prepare(options, place, machines), machines, options.cuts, chance)
    finally:
        for machine in machines.values():
            machine.end()


def cut(dtaas, machines, cuts, chance):
    # Images and the program are brought there, so that each run takes the same time from then on.
    dtaas.well("up")
    dtaas.well("down", "--yes")
    begun = time.monotonic()
    dtaas.well("up")
    took = time.monotonic() - begun
    say(f"cut: undisturbed {took:.2f} s")
    findings, noticed, longest = [], 0, 0.0
    for run in range(cuts):
        # Now the one machine, now the other: what is not cut has to come up all the same.
        lost, kept = [("services", "dtaas"), ("dtaas", "services")][run % 2]
        dtaas.well("down", "--yes")
        pause = chance.uniform(0, took)
        moment = f"{lost} {run + 1} at {pause:.2f} s"
        child = dtaas.start("up")
        try:
            child.communicate(timeout=pause)
        except subprocess.TimeoutExpired:
            pass
        machines[lost].packets("--insert")
        cut_at = time.monotonic()
        output, _ = child.communicate(timeout=600)
        seconds = time.monotonic() - cut_at
        machines[lost].packets("--delete")
        if child.returncode != 0:
            noticed += 1
            longest = max(longest, seconds)
            words = (f"lost the connection to {lost}", f"{lost}: cannot connect to", f"{lost}: `", f"{lost}: 127.0.0.1 ended the connection")
            if not any(one in output for one in words):
                findings.append(f"{moment}: it does not say what was lost: {output.strip()[-600:]}")
            if seconds > took + NOTICED:
                findings.append(f"{moment}: noticed after {seconds:.0f} s only")
        before = machines[kept].started()
        if len(before.splitlines()) != (5 if kept == "dtaas" else 2):
            findings.append(f"{moment}: the other machine did not come up: {before}")
        for words in (["up"], ["plan", "--exit-code"]):
            code, text = dtaas.run(*words)
            if code != 0:
                findings.append(f"{moment}: then {' '.join(words)} ended with {code}: {text.strip()[-600:]}")
                break
        if machines[kept].started() != before:
            findings.append(f"{moment}: the next run disturbed the other machine")
        say(f"cut: {moment}: ended with {child.returncode} after {seconds:.1f} s")
    for one in findings:
        say(f"cut: {one}")
    figures = {
        "undisturbed_seconds": round(took, 2),
        "cuts": cuts,
        "in_time": noticed,
        "longest_until_the_run_ended_seconds": round(longest, 1),
        "findings": len(findings),
    }
    return figures, not findings
