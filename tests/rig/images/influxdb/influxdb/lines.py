"""Line protocol: `measurement[,tag=value…] field=value[,…] [time]`, one point a line."""

import re

from .errors import invalid

PRECISIONS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
# Up to a character that ends it, but for those behind a backslash.
NAME = re.compile(r"(?:\\.|[^\\,= ])+")
MEASUREMENT = re.compile(r"(?:\\.|[^\\, ])+")
TEXT = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
TRUE, FALSE = {"t", "T", "true", "True", "TRUE"}, {"f", "F", "false", "False", "FALSE"}


def parse(body, precision, now):
    """(measurement, tags, field, type, value, nanoseconds) for each field of each line."""
    if precision not in PRECISIONS:
        raise invalid("invalid precision; valid precision units are ns, us, ms, and s")
    values = []
    for line in _split(body):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                values += _line(line.strip(), PRECISIONS[precision], now)
            except ValueError as error:
                raise invalid(f"unable to parse '{line}': {error}") from error
    if not values:
        raise invalid("writing requires points")
    return values


def _split(body):
    # A line feed within quotes is part of the text.
    return re.findall(r'(?:"(?:\\.|[^"\\])*"|\\.|[^\n"])+|"[^\n]*', body)


def _line(line, unit, now):
    place = _Place(line)
    measurement = _plain(place.take(MEASUREMENT, "missing measurement"))
    tags = {}
    while place.skip(","):
        name = _plain(place.take(NAME, "missing tag key"))
        if not place.skip("="):
            raise ValueError("missing tag value")
        if name in tags:
            raise ValueError("duplicate tags")
        tags[name] = _plain(place.take(NAME, "missing tag value"))
    if not place.skip(" "):
        raise ValueError("missing fields")
    fields = []
    while True:
        name = _plain(place.take(NAME, "missing fields"))
        if not place.skip("="):
            raise ValueError("missing field value")
        fields.append((name, *_value(place)))
        if not place.skip(","):
            break
    time = now
    if place.skip(" "):
        time = int(place.take(re.compile(r"-?\d+"), "bad timestamp")) * unit
    if place.left():
        raise ValueError(f"{line[place.at:]!r} is too much")
    return [(measurement, tags, *field, time) for field in fields]


class _Place:
    def __init__(self, line):
        self.line = line
        self.at = 0

    def take(self, pattern, wrong):
        found = pattern.match(self.line, self.at)
        if not found:
            raise ValueError(wrong)
        self.at = found.end()
        return found.group(0)

    def skip(self, character):
        start = self.at
        while self.line.startswith(character, self.at):
            self.at += 1
            if character != " ":
                break
        return self.at > start

    def left(self):
        return self.at < len(self.line)


def _value(place):
    if place.line.startswith('"', place.at):
        text = place.take(TEXT, "unbalanced quotes")
        return "string", re.sub(r'\\(["\\])', r"\1", text[1:-1])
    written = place.take(NAME, "missing field value")
    if written in TRUE or written in FALSE:
        return "boolean", written in TRUE
    number, kind = (written[:-1], written[-1]) if written[-1] in "iu" else (written, "")
    if not NUMBER.fullmatch(number):
        raise ValueError("invalid number" if number[:1].isdigit() or number[:1] in "+-." else "invalid boolean")
    if not kind:
        return "float", float(number)
    least, most = (-(2**63), 2**63 - 1) if kind == "i" else (0, 2**64 - 1)
    if not least <= int(number) <= most:
        raise ValueError("value out of range")
    return ("integer" if kind == "i" else "unsigned"), int(number)


def _plain(name):
    return re.sub(r"\\([,= ])", r"\1", name)
