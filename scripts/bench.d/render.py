"""How long it takes to render a deployment, in memory and on the disk."""

import shutil

from deployment import Deployment, touched, user
from measure import Budget, Failed, Row, Series

TITLE = "rendering"


def measure(bench):
    rows = []
    for users in (10, 100, 1000):
        cost = bench.core(f"machine/{users}")
        if cost:
            budget = Budget.at_most(0.050, "s") if users == 1000 else None
            rows.append(Row(f"{users} users in memory", cost, "s", budget=budget))
    cost = bench.core("spec/1000")
    if cost:
        rows.append(Row("1000 users' files parsed", cost, "s"))
    for users in (10, 100) if bench.quick else (10, 100, 1000):
        rows += on_disk(bench, users)
    notes = ["On the disk: all of `dtaas render`, start, parsing, comparing and fsync included."]
    return rows, notes + ([] if cost else ["In memory: `cargo bench`, which a quick run leaves out."])


def on_disk(bench, users):
    deployment = Deployment(bench, f"render-{users}", users)

    def first():
        shutil.rmtree(deployment.root / "config")
        return deployment.dtaas("render")

    def again():
        before = deployment.files()
        took = deployment.dtaas("render")
        written = touched(before, deployment.files())
        if written:
            raise Failed(f"nothing had changed, and `dtaas render` wrote {written}")
        return took

    count = bench.repeat(10, 1)
    rows = [
        Row(f"{users} users, all files written", Series([first() for _ in range(count)]), "s"),
        Row(f"{users} users, nothing changed, nothing written", Series([again() for _ in range(count)]), "s"),
    ]
    # What one user may do is changed: that is one file.
    spec = deployment.root / "users" / f"{user(3)}.yaml"
    before = deployment.files()
    spec.write_text(spec.read_text().replace("groups: []", "groups: [publishers]"))
    changed = deployment.files()
    deployment.dtaas("render")
    written = len(touched(changed, deployment.files()))
    rows.append(Row(f"{users} users, one changed: files written", Series([written]), "", budget=Budget.at_most(1, "")))
    if touched(before, changed) != [spec]:
        raise Failed("more than the user's file was changed")
    return rows
