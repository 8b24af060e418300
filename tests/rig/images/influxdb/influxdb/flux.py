"""As much Flux as the platform's tests ask: `from(bucket: "…") |> range(…) |> filter(fn: (r) => r._field == "…" and …)`, and
`buckets()`. Anything else is refused, as a query that cannot be compiled."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .errors import invalid

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9, "w": 7 * 86400 * 10**9}
STRING = r'"((?:\\.|[^"\\])*)"'
FROM = re.compile(rf"from\(\s*(bucket|bucketID):\s*{STRING}\s*\)")
RANGE = re.compile(r"range\(\s*start:\s*([^,\s)]+(?:\(\))?)\s*(?:,\s*stop:\s*([^,\s)]+(?:\(\))?)\s*)?\)")
FILTER = re.compile(r"filter\(\s*fn:\s*\(r\)\s*=>\s*(.*)\)", re.DOTALL)
EQUAL = re.compile(rf'r(?:\.(\w+)|\["(\w+)"\])\s*==\s*{STRING}')
MOST = 2**63 - 1


@dataclass
class Query:
    """`bucket` is None for `buckets()`; the times are nanoseconds; `equal` are columns and what they must be."""

    bucket: str = None
    by_id: bool = False
    start: int = 0
    stop: int = MOST
    equal: list = field(default_factory=list)


def parse(text, now):
    steps = [step.strip() for step in re.split(r"\|>", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))]
    if steps == ["buckets()"]:
        return Query()
    source = FROM.fullmatch(steps[0])
    if not source:
        raise _unknown(steps[0])
    query = Query(bucket=_text(source.group(2)), by_id=source.group(1) == "bucketID", stop=now)
    bounds = RANGE.fullmatch(steps[1]) if len(steps) > 1 else None
    if not bounds:
        raise invalid(f"error in building plan while starting program: cannot submit unbounded read to \"{query.bucket}\"; "
                      "try bounding 'from' with a call to 'range'")
    query.start = _time(bounds.group(1), now)
    query.stop = _time(bounds.group(2), now) if bounds.group(2) else now
    if query.start >= query.stop:
        raise invalid("error in building plan while starting program: cannot query an empty range")
    for step in steps[2:]:
        condition = FILTER.fullmatch(step)
        if not condition:
            raise _unknown(step)
        for part in re.split(r"\band\b", condition.group(1)):
            same = EQUAL.fullmatch(part.strip())
            if not same:
                raise _unknown(step)
            query.equal.append((same.group(1) or same.group(2), _text(same.group(3))))
    return query


def _time(written, now):
    if written == "now()":
        return now
    if re.fullmatch(r"-?\d+", written):
        return int(written) * 10**9
    if re.fullmatch(r"-?(?:\d+(?:ns|us|ms|[smhdw]))+", written):
        span = sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)(ns|us|ms|[smhdw])", written))
        return now - span if written.startswith("-") else now + span
    try:
        moment = datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError:
        raise _unknown(written) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def _text(written):
    return re.sub(r"\\(.)", r"\1", written)


def _unknown(what):
    return invalid(f"compilation failed: the stand-in knows no Flux like {what!r}")
