"""The little of line protocol and Flux that the InfluxDB stand-in knows."""

import gzip
import json
import re
import time
from datetime import datetime, timezone

from standin import Answer, Refused

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
SPANS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def invalid(text):
    return Refused(400, {"code": "invalid", "message": text})


def points(request, precision):
    """The points of a body, as [time, measurement, tags, field, value]; time in nanoseconds."""
    if precision not in UNITS:
        raise invalid("invalid precision; valid precision units are ns, us, ms, and s")
    raw = request.raw
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    found = []
    for line in filter(None, raw.decode().splitlines()):
        match = re.match(r'^([^ ]+) ((?:[^ "]|"[^"]*")+)(?: (-?\d+))?$', line)
        if not match:
            raise invalid(f"unable to parse {line!r}")
        name, *tags = match[1].split(",")
        moment = int(match[3]) * UNITS[precision] if match[3] else time.time_ns()
        for field in re.findall(r'([^=,]+)=("[^"]*"|[^,]+)', match[2]):
            found.append([moment, name, dict(tag.split("=", 1) for tag in tags), field[0], value(field[1])])
    return found


def value(text):
    if text.startswith('"'):
        return text[1:-1]
    if text in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"):
        return text[0] in "tT"
    try:
        return int(text[:-1]) if text.endswith("i") else float(text)
    except ValueError:
        raise invalid(f"invalid number {text!r}") from None


def answer(request, readable, stored):
    """What a question is answered with, as annotated CSV. `readable` are buckets' numbers by name."""
    if (request.headers.get("Content-Type") or "").startswith("application/json"):
        asked = json.loads(request.raw)
        unknown = set(asked) - {"query", "type", "dialect", "extern", "now", "params"}
        if unknown:
            raise invalid(f"{sorted(unknown)} is in no description")
        question = asked["query"]
    else:
        question = request.raw.decode()
    if question.strip() == "buckets()":
        rows = [["", "", "0", name, readable[name]] for name in sorted(readable)]
        return csv(["string", "long", "string", "string"], ["name", "id"], rows)
    match = re.fullmatch(r'\s*from\(bucket:\s*"([^"]*)"\)\s*\|>\s*range\(start:\s*([^,)]+)\)(.*)', question, re.S)
    if not match:
        raise invalid("compilation failed: this stand-in knows buckets() and from() |> range() |> filter() alone")
    if match[1] not in readable:
        text = f'failed to initialize execute state: could not find bucket "{match[1]}"'
        raise Refused(404, {"code": "not found", "message": text})
    wanted = {}
    for step in filter(None, (step.strip() for step in match[3].split("|>"))):
        terms = re.fullmatch(r"filter\(fn:\s*\(r\)\s*=>\s*(.*)\)", step, re.S)
        if not terms:
            raise invalid(f"compilation failed: this stand-in does not know {step}")
        for term in terms[1].split(" and "):
            equal = re.fullmatch(r'\s*r\.(_measurement|_field)\s*==\s*"([^"]*)"\s*', term)
            if not equal:
                raise invalid(f"compilation failed: this stand-in does not know {term}")
            wanted[equal[1]] = equal[2]
    return table(stored.get(readable[match[1]], []), since(match[2].strip()), wanted)


def since(text):
    span = re.fullmatch(r"-(\d+)(ns|us|ms|s|m|h|d)", text)
    if span:
        return time.time_ns() - int(span[1]) * SPANS[span[2]]
    if text == "0":
        return 0
    raise invalid(f"compilation failed: this stand-in does not know the time {text}")


def stamp(nanoseconds):
    moment = datetime.fromtimestamp(nanoseconds // 10**9, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09}Z"


def table(stored, start, wanted):
    now = time.time_ns()
    rows = []
    series = {}
    kind = "double"
    for moment, name, tags, field, what in sorted(stored, key=lambda point: point[0]):
        if moment < start or wanted.get("_measurement", name) != name or wanted.get("_field", field) != field:
            continue
        number = series.setdefault((name, field, json.dumps(tags)), len(series))
        kind = {str: "string", bool: "boolean", int: "long"}.get(type(what), "double")
        rows.append(["", "", str(number), stamp(start), stamp(now), stamp(moment), shown(what), field, name])
    rows.sort(key=lambda row: int(row[2]))
    types = ["string", "long", *["dateTime:RFC3339"] * 3, kind, "string", "string"]
    return csv(types, ["_start", "_stop", "_time", "_value", "_field", "_measurement"], rows)


def shown(what):
    return str(what).lower() if isinstance(what, bool) else str(what)


def csv(types, names, rows):
    head = [["#datatype", *types], ["#group", *["false"] * len(types)], ["#default", "_result", *[""] * (len(types) - 1)]]
    lines = [*head, ["", "result", "table", *names], *rows] if rows else []
    text = "".join(",".join(line) + "\r\n" for line in lines) + "\r\n"
    return Answer(body=text.encode(), kind="text/csv; charset=utf-8")
