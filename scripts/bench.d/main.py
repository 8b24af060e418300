"""Runs the parts that were asked for; `scripts/bench` says how it is called, and sees to what is needed."""

import importlib
import json
import os
import pathlib
import shutil
import signal
import sys
import time

import engine
import report
from measure import Failed, Series, run

PARTS = ["startup", "render", "users", "library", "up", "machines", "gateway", "routes"]


class Bench:
    """What all parts need to know."""

    def __init__(self, environment):
        def tool(name):
            return environment.get(f"BENCH_{name}") or None

        self.repository = pathlib.Path(environment["BENCH_REPOSITORY"])
        self.dtaas = environment["BENCH_DTAAS"]
        self.bare = tool("BARE")
        self.quick = environment["BENCH_QUICK"] == "1"
        self.time = tool("TIME")
        self.wrk = tool("WRK")
        self.compose = tool("COMPOSE")
        self.peer = [tool("PEER")] if tool("PEER") else None
        place = pathlib.Path(environment["BENCH_PLACE"])
        self.mark = f"bench-{os.getpid()}"
        # On what is made in docker by others than our program.
        self.label = f"dtaas.bench={os.getpid()}"
        self.scratch = place / f"run.{os.getpid()}"
        # What is unpacked and not installed brings its own.
        self.libraries = list(place.glob("tools/root/usr/lib/*-linux-gnu"))

    def repeat(self, full, quick):
        """How often something is done."""
        return quick if self.quick else full

    def await_(self, condition, what):
        """Asks until the answer is yes."""
        give_up = time.monotonic() + 60
        while not condition():
            if time.monotonic() > give_up:
                raise Failed(f"waited a minute for {what}")
            time.sleep(0.02)

    def core(self, name):
        """What `cargo bench` says now of one of `benches/core.rs`, in seconds; nothing in a quick run, as it takes minutes to build."""
        if self.quick:
            return None
        home = self.scratch / "criterion"
        env = dict(os.environ, CRITERION_HOME=str(home))
        words = ["cargo", "bench", "--locked", "--quiet", "--bench", "core", "--", f"^{name}$"]
        run(words, self.scratch / "core.out", env=env, cwd=self.repository)
        sample = json.loads((home / name / "new/sample.json").read_text())
        return Series([took / 1e9 / often for took, often in zip(sample["times"], sample["iters"])])

    def about_peer(self):
        return [] if self.peer else ["The Python tool is not here; a run without --quick installs it."]


def main():
    sys.path.append(os.environ["BENCH_REPOSITORY"] + "/scripts/rig.d")
    # Meant for this program; peers are to start as they do for anybody.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    names = sys.argv[1:] or PARTS
    bench = Bench(os.environ)
    sweep_the_dead(bench)
    bench.scratch.mkdir(mode=0o700)
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, interrupted)
    result = report.Report(report.facts(bench.repository, os.environ.get("BENCH_NOTE")))
    failed = []
    try:
        for name in names:
            part = importlib.import_module(name)
            try:
                rows, notes = part.measure(bench)
            except Failed as error:
                print(f"bench: {name} failed: {error}", file=sys.stderr)
                failed.append(name)
                continue
            finally:
                take_away(bench, bench.scratch)
            result.add(name, part.TITLE, rows, notes)
    finally:
        # Whoever asks again is not heard: what was made goes first.
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        clean(bench, bench.scratch)
    if result.parts and not bench.quick:
        where = pathlib.Path(os.environ.get("DTAAS_BENCH_RESULTS") or bench.repository / "benches/results")
        print(f"written to {result.write(where, names == PARTS)}")
    sys.exit(1 if failed else 0)


def interrupted(number, _frame):
    print("bench: interrupted; taking away what was made", file=sys.stderr)
    sys.exit(128 + number)


def sweep_the_dead(bench):
    """Takes away what runs that were killed have left."""
    for scratch in bench.scratch.parent.glob("run.*"):
        if not pathlib.Path("/proc", scratch.name[4:]).exists():
            clean(bench, scratch)


def clean(bench, scratch):
    """Takes away everything of a run."""
    take_away(bench, scratch)
    shutil.rmtree(scratch)


def take_away(bench, scratch):
    """Takes away what a run has in docker, and its deployments."""
    for spec in scratch.glob("*/dtaas.yaml"):
        words = [bench.dtaas, "-C", spec.parent, "down", "--purge", "--yes"]
        try:
            if engine.has_any(f"dtaas.instance={engine.instance(spec.parent)}"):
                run(words, scratch / "down.out")
        except Failed as error:
            print(f"bench: {error}", file=sys.stderr)
        shutil.rmtree(spec.parent, ignore_errors=True)
    engine.remove_all(f"dtaas.bench={scratch.name[4:]}")


if __name__ == "__main__":
    main()
