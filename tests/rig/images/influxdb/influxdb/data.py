"""The calls that write points and ask for them."""

import gzip
import json
import time

from standin.http import Reply
from standin.shapes import may, must

from . import flux, lines, tables
from .buckets import readable
from .calls import nothing, routes
from .errors import Refusal, invalid, not_found

ANNOTATIONS = {"datatype", "group", "default"}
DIALECT = {"header": may(bool), "delimiter": may(str), "annotations": may([str]), "commentPrefix": may(str), "dateTimeFormat": may(str)}
QUERY = {"query": must(str), "type": may(str), "dialect": may(DIALECT), "params": may({}), "now": may(str), "extern": may(dict)}


@routes("POST", "/api/v2/write", query=("org", "orgID", "bucket", "precision"))
def write(call):
    if call.text("precision") and call.text("precision") not in lines.PRECISIONS:
        raise invalid("invalid precision; valid precision units are ns, us, ms, and s")
    name = call.text("bucket")
    if not name:
        raise not_found("bucket not found")
    org = call.org()
    bucket = call.state.find("buckets", orgID=org["id"], id=name) or call.state.find("buckets", orgID=org["id"], name=name)
    if not bucket:
        raise not_found(f'bucket "{name}" not found')
    if not call.caller.may("write", "buckets", bucket["id"], org["id"]):
        raise Refusal("forbidden", "insufficient permissions for write")
    now = time.time_ns()
    values = lines.parse(_plain(call.request), call.text("precision") or "ns", now)
    call.service.points.write(bucket["id"], bucket["seconds"], values, now)
    return nothing()


@routes("POST", "/api/v2/query", query=("org", "orgID"))
def query(call):
    org = call.org()
    text, annotations = _asked(call)
    asked = flux.parse(text, time.time_ns())
    state, caller = call.state, call.caller
    if asked.bucket is None:
        seen = [one for one in state.all("buckets") if one["orgID"] == org["id"] and readable(caller, one)]
        return _csv(tables.of_buckets(seen, annotations))
    wanted = {"id": asked.bucket} if asked.by_id else {"name": asked.bucket}
    bucket = state.find("buckets", orgID=org["id"], **wanted)
    # Who may not read a bucket is told that there is none.
    if not (bucket and readable(caller, bucket)):
        raise not_found(f'failed to initialize execute state: could not find bucket "{asked.bucket}"')
    points = [point for point in call.service.points.read(bucket["id"], asked.start, asked.stop) if _fits(point, asked.equal)]
    return _csv(tables.of_points(points, asked, annotations))


def _asked(call):
    """The query, and the annotations that are wanted with the answer."""
    kind = call.request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
    if kind == "application/vnd.flux":
        return call.request.body.decode(), ()
    if kind != "application/json":
        raise invalid(f"unsupported media type {kind!r}: it is application/json or application/vnd.flux")
    body = call.body(QUERY)
    if body.get("type") not in (None, "flux"):
        raise invalid(f"unknown query type: {json.dumps(body['type'])}")
    dialect = body.get("dialect") or {}
    annotations = dialect.get("annotations") or ()
    for annotation in annotations:
        if annotation not in ANNOTATIONS:
            raise invalid(f"unknown dialect annotation type: {annotation!r}")
    if dialect.get("header") is False or dialect.get("delimiter") not in (None, ","):
        raise invalid("the stand-in's answers have a header, and commas between")
    return body["query"], annotations


def _fits(point, equal):
    measurement, tags, field, *_ = point
    columns = {"_measurement": measurement, "_field": field, **tags}
    return all(columns.get(name) == value for name, value in equal)


def _csv(body):
    return Reply(200, body, [("Content-Type", "text/csv; charset=utf-8")])


def _plain(request):
    try:
        body = request.body
        if request.headers.get("Content-Encoding", "") == "gzip":
            body = gzip.decompress(body)
        return body.decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise invalid(f"the body cannot be read: {error}") from error
