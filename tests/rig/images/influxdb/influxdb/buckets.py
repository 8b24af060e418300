"""The calls about buckets."""

from standin.shapes import may, must

from . import shown
from .calls import PAGED, created, nothing, ok, routes
from .errors import Refusal, conflict, invalid
from .names import touch
from .state import check_bucket, check_id

RULE = {"type": may(str), "everySeconds": may(int), "shardGroupDurationSeconds": may(int)}
NEW = {"orgID": must(str), "name": must(str), "description": may(str), "rp": may(str), "retentionRules": may([RULE]),
       "schemaType": may(str)}
CHANGE = {"name": may(str), "description": may(str), "retentionRules": may([RULE])}


def readable(caller, bucket):
    """A system bucket shows to whoever may read its organisation."""
    if bucket["type"] == "system":
        return caller.may("read", "orgs", bucket["orgID"])
    return caller.may("read", "buckets", bucket["id"], bucket["orgID"])


@routes("GET", "/api/v2/buckets", query=(*PAGED, "org", "orgID", "name", "id"))
def list_buckets(call):
    state, name = call.state, call.text("name")
    org = call.org() if call.text("org") or call.text("orgID") else None
    found = state.all("buckets")
    if call.id("id"):
        found = [state.bucket(call.id("id"))]
    elif name and org:
        found = [state.find("buckets", orgID=org["id"], name=name) or _none(name)]
    else:
        found = [one for one in found if (not org or one["orgID"] == org["id"]) and (not name or one["name"] == name)]
    if org:
        # By the index of the organisation's names.
        found = sorted(found, key=lambda one: one["name"])
    found = call.page(found)
    shown_buckets = [shown.bucket(one) for one in found if readable(call.caller, one)]
    return ok({"links": call.links("/api/v2/buckets", len(found)), "buckets": shown_buckets})


@routes("POST", "/api/v2/buckets")
def add_bucket(call):
    body = call.body(NEW)
    seconds = _seconds(body) or 0
    org_id = check_id(body["orgID"])
    call.caller.need("write", "buckets", None, org_id)
    bucket = call.state.add_bucket(call.state.org(org_id), body["name"], seconds, description=body.get("description"))
    return created(shown.bucket(bucket))


@routes("GET", "/api/v2/buckets/{id}")
def get_bucket(call, id):
    bucket = call.state.bucket(check_id(id))
    if not readable(call.caller, bucket):
        call.caller.need("read", "buckets", bucket["id"], bucket["orgID"])
    return ok(shown.bucket(bucket))


@routes("PATCH", "/api/v2/buckets/{id}")
def change_bucket(call, id):
    body = call.body(CHANGE)
    seconds = _seconds(body)
    bucket = call.state.bucket(check_id(id))
    call.caller.need("write", "buckets", bucket["id"], bucket["orgID"])
    name = body.get("name") or bucket["name"]
    if name != bucket["name"]:
        if bucket["type"] == "system":
            raise invalid("system buckets cannot be renamed")
        if call.state.find("buckets", orgID=bucket["orgID"], name=name):
            raise conflict("bucket name is not unique")
    check_bucket(name, bucket["seconds"] if seconds is None else seconds, bucket["type"])
    bucket["name"] = name
    bucket["seconds"] = bucket["seconds"] if seconds is None else seconds
    if body.get("description") is not None:
        bucket["description"] = body["description"]
    touch(bucket)
    return ok(shown.bucket(bucket))


@routes("DELETE", "/api/v2/buckets/{id}")
def drop_bucket(call, id):
    bucket = call.state.bucket(check_id(id))
    call.caller.need("write", "buckets", bucket["id"], bucket["orgID"])
    if bucket["type"] == "system":
        raise invalid("system buckets cannot be deleted")
    call.state.remove("buckets", bucket)
    call.service.points.drop(bucket["id"])
    return nothing()


def _seconds(body):
    """How long the rule keeps points, 0 for ever; None without a rule."""
    rules = body.get("retentionRules") or []
    if len(rules) > 1:
        raise Refusal("unprocessable entity", "buckets cannot have more than one retention rule at this time")
    for rule in rules:
        if rule.get("type") not in (None, "expire"):
            raise invalid(f"a retention rule's type is expire, not {rule['type']!r}")
        if (rule.get("everySeconds") or 0) < 0:
            raise Refusal("unprocessable entity", "expiration seconds cannot be negative")
        if (rule.get("shardGroupDurationSeconds") or 0) < 0:
            raise Refusal("unprocessable entity", "shard-group duration seconds cannot be negative")
        return rule.get("everySeconds") or 0
    return None


def _none(name):
    raise Refusal("not found", f'bucket "{name}" not found')
