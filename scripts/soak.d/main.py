"""Runs the subjects that were asked for, and writes down what came of it."""

import argparse
import datetime
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile

import cuts
import library
import mayhem
import slow
from deployment import Dtaas
from interruptions import WAYS, soak
from subjects import MAKERS
from talk import machine, say

HERE = pathlib.Path(__file__).resolve().parent.parent.parent
OTHERS = {"cut": cuts.soak, "library": library.soak, "mayhem": mayhem.soak, "slow": slow.soak}
SUBJECTS = [*MAKERS, *OTHERS]


def arguments(about):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40, help="kills, and interruptions, of each subject")
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS), help="kill, interrupt, or both with a comma between")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", default=",".join(SUBJECTS), help="the subjects, separated by commas")
    parser.add_argument("--users", type=int, default=100, help="how many `init` and `add` make")
    parser.add_argument("--cuts", type=int, default=10, help="how many `cut` makes")
    parser.add_argument("--requests", type=int, default=2_000_000, help="how many `library` makes")
    parser.add_argument("--connections", type=int, default=10_000, help="how many `slow` holds")
    parser.add_argument("--crowd", type=int, default=50, help="how many users `mayhem` has")
    parser.add_argument("--minutes", type=float, default=10, help="how long `mayhem` goes on")
    parser.add_argument("--binary", type=pathlib.Path, help="dtaas; the release build, unless given")
    parser.add_argument("--out", type=pathlib.Path, help="where the figures go")
    return parser.parse_args()


def built():
    found = sorted((HERE / "target").glob("*/release/dtaas")) + sorted((HERE / "target").glob("*/debug/dtaas"))
    if not found:
        sys.exit("soak: there is no dtaas yet: cargo build --release")
    return found[0]


def run(one, options, place, chance):
    if one in OTHERS:
        (place / one).mkdir()
        return OTHERS[one](options, place / one, chance)
    root = place / one
    try:
        subject = MAKERS[one](options, place) | {"name": one}
        return soak(subject, options.runs, options.ways, chance)
    finally:
        if one in ("up", "live") and (root / "dtaas.yaml").exists():
            Dtaas(options.binary, root, engine=True).run("down", "--purge", "--yes")


def main(about):
    # Whoever started this in the background has Ctrl-C ignored, and so would the programs started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whoever stops it gets the platforms taken away as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments(about)
    options.binary = (options.binary or built()).resolve()
    wanted = options.only.split(",")
    unknown = set(wanted) - set(SUBJECTS)
    strange = set(options.ways) - set(WAYS)
    if strange:
        sys.exit(f"soak: there is no way {', '.join(sorted(strange))}; there are {', '.join(WAYS)}")
    if unknown:
        sys.exit(f"soak: there is no subject {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    chance = random.Random(options.seed)
    version = subprocess.run([options.binary, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "version": version,
        "seed": options.seed,
        "machine": machine(),
        "subjects": {},
    }
    say(f"seed {options.seed}, {options.binary}")
    good = True
    with tempfile.TemporaryDirectory(prefix="dtaas-soak-") as name:
        place = pathlib.Path(name).resolve()
        for one in wanted:
            report["subjects"][one], fine = run(one, options, place, chance)
            good = good and fine
    out = options.out or HERE / "benches" / "results" / f"soak-{report['date'][:10]}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n")
    say(f"the figures are in {out}")
    return 0 if good else 1
