"""Kills and interrupts a command at random moments, and looks at what it leaves."""

import json
import signal
import subprocess
import time

from deployment import LONGEST, form, tree
from talk import say

TEMPORARY = ".dtaas-new"


class Findings:
    def __init__(self):
        self.torn, self.half, self.stuck, self.wrong = [], [], [], []

    def any(self):
        return self.torn or self.half or self.stuck or self.wrong


def look(dtaas, before, after, findings, moment):
    """Looks at what a run left."""
    left = 0
    for name, content in tree(dtaas.root).items():
        if name.endswith(TEMPORARY):
            left += 1
            continue
        legitimate = [one[name] for one in (before, after) if name in one]
        if content in legitimate:
            continue
        try:
            shape = form(name, content)
        except UnicodeDecodeError:
            shape = None
        if shape is None or shape not in [form(name, one) for one in legitimate]:
            findings.torn.append(f"{moment}: {name}")
    named = {path.stem for path in (dtaas.root / "users").glob("[!.]*.yaml")}
    for user in sorted(named):
        if not (dtaas.root / "auth" / user).is_file():
            findings.half.append(f"{moment}: {user} has no password")
    if (dtaas.root / "dtaas.yaml").exists():
        code, said = dtaas.run("user", "list", "--json")
        listed = {row["name"] for row in json.loads(said) if row["password"]} if code == 0 else set()
        if code != 0 or listed != named:
            findings.half.append(f"{moment}: user list ended with {code} and has {len(listed)} of {len(named)}")
    return left


def again(dtaas, words, after, settled, findings, moment):
    """The same command again, and then nothing is left to do."""
    for command in (words, settled):
        code, said = dtaas.run(*command)
        if code != 0:
            findings.stuck.append(f"{moment}: {' '.join(map(str, command))} ended with {code}: {said.strip()}")
            return
    found = tree(dtaas.root)
    if found.keys() != after.keys():
        findings.stuck.append(f"{moment}: files differ: {sorted(found.keys() ^ after.keys())}")


# Each way of ending a run: the signal, and what the run may end with.
WAYS = {"kill": (signal.SIGKILL, {-9}), "interrupt": (signal.SIGINT, {130, -2})}


def soak(subject, runs, ways, chance):
    dtaas, words, settled = subject["dtaas"], subject["words"], subject["settled"]
    subject["reset"]()
    before = tree(dtaas.root)
    begun = time.monotonic()
    dtaas.well(*words)
    took = time.monotonic() - begun
    after = tree(dtaas.root)
    dtaas.well(*settled)
    say(f"{subject['name']}: undisturbed {took:.2f} s")
    findings, figures = Findings(), {"undisturbed_seconds": round(took, 2)}
    for way in ways:
        number, fine = WAYS[way]
        in_time = temporary = 0
        for run in range(runs):
            pause = chance.uniform(0, took)
            moment = f"{way} {run + 1} at {pause:.3f} s"
            subject["reset"]()
            child = dtaas.start(*words)
            try:
                child.communicate(timeout=pause)
            except subprocess.TimeoutExpired:
                child.send_signal(number)
            said, _ = child.communicate(timeout=LONGEST)
            if child.returncode in fine:
                in_time += 1
            elif child.returncode != 0:
                findings.wrong.append(f"{moment}: ended with {child.returncode}: {said.strip()}")
            temporary += bool(look(dtaas, before, after, findings, moment))
            again(dtaas, words, after, settled, findings, moment)
        figures[way] = {"runs": runs, "ended_by_it": in_time, "with_a_temporary_file": temporary}
        say(f"{subject['name']}: {runs} × {way}, {in_time} in time")
    figures |= {
        "torn_files": len(findings.torn),
        "half_users": len(findings.half),
        "next_run_did_not_converge": len(findings.stuck),
        "wrong_exit": len(findings.wrong),
    }
    for one in findings.torn + findings.half + findings.stuck + findings.wrong:
        say(f"{subject['name']}: {one}")
    return figures, not findings.any()
