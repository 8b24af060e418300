"""How long the program takes to say something, and how much memory."""

from measure import Budget, Row, Series, run, times

TITLE = "start-up, beside the Python tool of the same name"


def measure(bench):
    out = bench.scratch / "startup.out"
    many, few = bench.repeat(200, 20), bench.repeat(15, 2)
    peer = bench.peer
    ours = times(many, lambda: run([bench.dtaas, "--version"], out))
    rows = [Row("--version", ours, "s", budget=Budget.at_most(0.005, "s"))]
    ours = times(many, lambda: run([bench.dtaas, "--help"], out))
    theirs = times(few, lambda: run([*peer, "--help"], out)) if peer else None
    rows.append(Row("--help", ours, "s", peer=theirs, budget=Budget.at_most(0.005, "s")))
    if bench.time:
        ours = memory(bench, [bench.dtaas, "--help"], few)
        theirs = memory(bench, [*peer, "--help"], few) if peer else None
        rows.append(Row("peak memory of --help", ours, "B", peer=theirs))
    floor = times(many, lambda: run(["/bin/true"], out))
    return rows, [f"/bin/true, spawned the same way, takes {floor.text('s')}.", *bench.about_peer()]


def memory(bench, argv, count):
    """Asked of GNU time, for a child of ours would begin with what this interpreter has."""
    out, told = bench.scratch / "startup.out", bench.scratch / "startup.memory"

    def peak():
        run([bench.time, "-f", "%M", "-o", told, *argv], out)
        return int(told.read_text()) * 1024

    return Series([peak() for _ in range(count)])
