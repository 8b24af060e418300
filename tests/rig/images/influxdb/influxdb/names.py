"""The calls about organisations, users and the first set-up."""

from standin.shapes import may, must

from . import shown
from .calls import PAGED, created, nothing, ok, routes
from .errors import Refusal, invalid
from .state import check_id, now

SETUP = {"username": must(str), "password": may(str), "org": must(str), "bucket": must(str), "token": may(str),
         "retentionPeriodSeconds": may(int), "retentionPeriodHrs": may(int)}
USER = {"name": must(str), "status": may(str), "oauthID": may(str)}
PASSWORD = {"password": must(str)}


@routes("GET", "/api/v2/setup", open=True)
def may_set_up(call):
    return ok({"allowed": not (call.state.all("users") or call.state.all("orgs"))})


@routes("POST", "/api/v2/setup", open=True)
def set_up(call):
    body = call.body(SETUP)
    seconds = body.get("retentionPeriodSeconds") or (body.get("retentionPeriodHrs") or 0) * 3600
    if seconds < 0:
        raise invalid("retention seconds must not be negative")
    user, org, bucket, authorization = call.state.set_up(
        body["username"], body.get("password"), body["org"], body["bucket"], body.get("token"), seconds)
    return created({"user": shown.user(user), "bucket": shown.bucket(bucket), "org": shown.org(org),
                    "auth": shown.authorization(authorization, call.state)})


@routes("GET", "/api/v2/orgs", query=(*PAGED, "org", "orgID", "userID"))
def list_orgs(call):
    found = call.state.all("orgs")
    if call.text("org"):
        found = [call.state.org_named(call.text("org"))]
    elif call.id("orgID"):
        found = [call.state.org(call.id("orgID"))]
    found = [one for one in call.page(found) if call.caller.may("read", "orgs", one["id"])]
    return ok({"links": {"self": "/api/v2/orgs"}, "orgs": [shown.org(one) for one in found]})


@routes("POST", "/api/v2/orgs")
def add_org(call):
    body = call.body({"name": must(str), "description": may(str)})
    call.caller.need("write", "orgs")
    org = call.state.add_org(body["name"])
    org["description"] = body.get("description") or ""
    return created(shown.org(org))


@routes("GET", "/api/v2/orgs/{id}")
def get_org(call, id):
    org = call.state.org(check_id(id))
    call.caller.need("read", "orgs", org["id"])
    return ok(shown.org(org))


@routes("DELETE", "/api/v2/orgs/{id}")
def drop_org(call, id):
    org = call.state.org(check_id(id))
    call.caller.need("write", "orgs", org["id"])
    for bucket in [one for one in call.state.all("buckets") if one["orgID"] == org["id"]]:
        call.service.points.drop(bucket["id"])
        call.state.remove("buckets", bucket)
    call.state.remove("orgs", org)
    return nothing()


@routes("GET", "/api/v2/me")
def me(call):
    user = call.state.user(call.caller.user["id"])
    call.caller.need("read", "users", user["id"])
    return ok(shown.user(user))


@routes("GET", "/api/v2/users", query=(*PAGED, "name", "id"))
def list_users(call):
    found = call.state.all("users")
    if call.id("id"):
        found = [call.state.user(call.id("id"))]
    elif call.text("name"):
        found = [call.state.find("users", name=call.text("name")) or call.state.user(None)]
    found = [one for one in call.page(found) if call.caller.may("read", "users", one["id"])]
    return ok({"links": {"self": "/api/v2/users"}, "users": [shown.user(one) for one in found]})


@routes("POST", "/api/v2/users")
def add_user(call):
    body = call.body(USER)
    call.caller.need("write", "users")
    return created(shown.user(call.state.add_user(body["name"], _status(body) or "active")))


@routes("GET", "/api/v2/users/{id}")
def get_user(call, id):
    user = call.state.user(check_id(id))
    call.caller.need("read", "users", user["id"])
    return ok(shown.user(user))


@routes("PATCH", "/api/v2/users/{id}")
def change_user(call, id):
    body = call.body({"name": may(str), "status": may(str)})
    user = call.state.user(check_id(id))
    call.caller.need("write", "users", user["id"])
    status = _status(body)
    other = call.state.find("users", name=body.get("name")) if body.get("name") else None
    if other and other["id"] != user["id"]:
        raise Refusal("conflict", f"user with name {body['name']} already exists")
    user["name"] = body.get("name") or user["name"]
    user["status"] = status or user["status"]
    return ok(shown.user(user))


@routes("DELETE", "/api/v2/users/{id}")
def drop_user(call, id):
    user = call.state.user(check_id(id))
    call.caller.need("write", "users", user["id"])
    call.state.remove("users", user)
    call.service.sessions.end_of(user["id"])
    return nothing()


@routes("POST", "/api/v2/users/{id}/password")
def set_password(call, id):
    body = call.body(PASSWORD)
    user = call.state.find("users", id=check_id(id))
    call.caller.need("write", "users", id)
    if not user:
        raise Refusal("forbidden", "your userID is incorrect")
    call.state.set_password(user, body["password"])
    return nothing()


@routes("PUT", "/api/v2/me/password")
def change_password(call):
    body = call.body(PASSWORD)
    pair = call.request.basic()
    user = call.service.sessions.with_password(call.state, *pair) if pair else None
    if not user or user["id"] != call.caller.user["id"]:
        raise Refusal("forbidden", "your username or password is incorrect")
    call.state.set_password(user, body["password"])
    return nothing()


def _status(body):
    if body.get("status") not in (None, "active", "inactive"):
        raise invalid(f"invalid status: {body['status']!r} is neither active nor inactive")
    return body.get("status")


def touch(one):
    """Notes that it was changed."""
    one["updatedAt"] = now()
