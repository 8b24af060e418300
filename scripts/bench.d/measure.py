"""Commands timed, figures gathered, budgets held against them."""

import os
import statistics
import time


class Failed(Exception):
    """What was to be measured did not work."""


def run(argv, output, env=None, cwd=None):
    """Runs a command to its end and answers the seconds it took; what it says goes to the file `output`.

    Spawned rather than forked, as a fork of this interpreter would take as long as what is measured.
    """
    opened = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    argv = [str(word) for word in argv]
    before = os.getcwd()
    if cwd:
        os.chdir(cwd)
    child = None
    try:
        began = time.perf_counter()
        child = os.posix_spawnp(argv[0], argv, env or os.environ, file_actions=opened)
        _, status = os.waitpid(child, 0)
        took = time.perf_counter() - began
        child = None
    finally:
        os.chdir(before)
        if child:
            os.kill(child, 15)
            os.waitpid(child, 0)
    if status:
        with open(output, errors="replace") as said:
            text = said.read()[-2000:]
        raise Failed(f"{' '.join(argv)} ended with status {os.waitstatus_to_exitcode(status)}:\n{text}")
    return took


def times(count, command):
    """A series of what `command()` answers."""
    return Series([command() for _ in range(count)])


class Series:
    """What repetitions of one measurement gave."""

    def __init__(self, values):
        self.values = list(values)

    @property
    def median(self):
        return statistics.median(self.values)

    def less(self, seconds):
        """The same without a part that was measured apart."""
        return Series([value - seconds for value in self.values])

    def text(self, unit):
        """The median, and from where to where."""
        shown = amount(self.median, unit)
        low, high = amount(min(self.values), unit), amount(max(self.values), unit)
        return shown if low == high else f"{shown} ({low} to {high})"


def amount(value, unit):
    """A figure in its unit; seconds as milliseconds where they are few."""
    if unit == "s":
        if abs(value) < 1:
            return f"{value * 1000:.3g} ms" if abs(value) < 0.1 else f"{value * 1000:.0f} ms"
        return f"{value:.2f} s"
    if unit == "B":
        return f"{value / 1e6:.1f} MB"
    if unit == "B/s":
        return f"{value / 1e6:,.0f} MB/s"
    return f"{value:,.0f}{unit}"


class Budget:
    """What a figure must be: itself, or divided by the peer's."""

    def __init__(self, text, met, missed):
        self.text = text
        self.met = met
        self.missed = missed

    @staticmethod
    def at_most(limit, unit):
        return Budget(
            f"≤ {amount(limit, unit)}",
            lambda ours, peer: ours <= limit,
            lambda ours, peer: f"{ours / limit:.2f} of the budget",
        )

    @staticmethod
    def at_least(limit, unit):
        return Budget(
            f"≥ {amount(limit, unit)}",
            lambda ours, peer: ours >= limit,
            lambda ours, peer: f"{ours / limit:.2f} of the budget",
        )

    @staticmethod
    def ratio_at_most(limit):
        return Budget(
            f"ours/peer ≤ {limit:g}",
            lambda ours, peer: None if peer is None else ours / peer <= limit,
            lambda ours, peer: f"{ours / peer:.2f} instead of {limit:g}",
        )

    @staticmethod
    def ratio_at_least(limit):
        return Budget(
            f"ours/peer ≥ {limit:g}",
            lambda ours, peer: None if peer is None else ours / peer >= limit,
            lambda ours, peer: f"{ours / peer:.2f} instead of {limit:g}",
        )

    def verdict(self, ours, peer):
        met = self.met(ours, peer)
        if met is None:
            return "no peer here"
        return "met" if met else f"MISSED: {self.missed(ours, peer)}"


class Row:
    """A line of the report."""

    def __init__(self, what, ours, unit, peer=None, budget=None):
        self.what = what
        self.ours = ours
        self.unit = unit
        self.peer = peer
        self.budget = budget

    def cells(self):
        peer = self.peer.median if self.peer else None
        ours = self.ours.median if self.ours else None
        known = ours is not None
        return [
            self.what,
            self.ours.text(self.unit) if known else "",
            self.peer.text(self.unit) if self.peer else "",
            f"{ours / peer:.3g}" if known and peer else "",
            self.budget.text if self.budget else "",
            self.budget.verdict(ours, peer) if self.budget and known else "",
        ]

    def data(self):
        return {
            "what": self.what,
            "unit": self.unit,
            "ours": self.ours.values if self.ours else None,
            "peer": self.peer.values if self.peer else None,
            "budget": self.budget.text if self.budget else None,
            "verdict": self.cells()[5] or None,
        }
