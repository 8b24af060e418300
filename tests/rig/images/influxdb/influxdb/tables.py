"""Results as annotated CSV: https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/."""

import csv
import io
from datetime import datetime, timezone

DATATYPES = {"float": "double", "integer": "long", "unsigned": "unsignedLong", "string": "string", "boolean": "boolean"}
TIME = "dateTime:RFC3339"


def of_points(points, query, annotations):
    """A table for each series, and a header for each run of tables with the same columns."""
    out, table, columns_before = io.StringIO(), -1, None
    for series, rows in _series(points):
        measurement, tags, field, kind = series
        table += 1
        labels = {"_field": field, "_measurement": measurement, **dict(tags)}
        columns = [("_start", TIME, True), ("_stop", TIME, True), ("_time", TIME, False), ("_value", DATATYPES[kind], False)]
        columns += [(name, "string", True) for name in labels]
        if columns != columns_before:
            _header(out, columns, annotations, first=columns_before is None)
            columns_before = columns
        for value, time in rows:
            shown = [rfc3339(query.start), rfc3339(query.stop), rfc3339(time), _shown(value), *labels.values()]
            _row(out, ["", "" if "default" in annotations else "_result", table, *shown])
    return _ended(out)


def of_buckets(buckets, annotations):
    out = io.StringIO()
    columns = [(name, "string", False) for name in ("name", "id", "organizationID", "retentionPolicy")]
    _header(out, columns + [("retentionPeriod", "long", False)], annotations, first=True)
    for bucket in buckets:
        shown = [bucket["name"], bucket["id"], bucket["orgID"], "", bucket["seconds"] * 10**9]
        _row(out, ["", "" if "default" in annotations else "_result", 0, *shown])
    return _ended(out)


def rfc3339(nanoseconds):
    seconds, rest = divmod(nanoseconds, 10**9)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def _series(points):
    found = {}
    for measurement, tags, field, kind, value, time in points:
        found.setdefault((measurement, tuple(sorted(tags.items())), field, kind), []).append((value, time))
    # Series of the same columns one after the other, so that they share a header.
    return sorted(found.items(), key=lambda one: ([name for name, _ in one[0][1]], one[0][3], one[0]))


def _header(out, columns, annotations, first):
    if not first:
        out.write("\r\n")
    if "datatype" in annotations:
        _row(out, ["#datatype", "string", "long", *(datatype for _, datatype, _ in columns)])
    if "group" in annotations:
        _row(out, ["#group", "false", "false", *("true" if grouped else "false" for _, _, grouped in columns)])
    if "default" in annotations:
        _row(out, ["#default", "_result", "", *("" for _ in columns)])
    _row(out, ["", "result", "table", *(name for name, _, _ in columns)])


def _row(out, cells):
    csv.writer(out, lineterminator="\r\n").writerow(cells)


def _ended(out):
    out.write("\r\n")
    return out.getvalue().encode()


def _shown(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
