"""The calls about authorizations: tokens, whose they are, and what they may do."""

from standin.shapes import may, must

from . import shown
from .calls import created, nothing, ok, routes
from .errors import Refusal, invalid, not_found
from .names import touch
from .rights import ACTIONS, PERMISSION, TYPES, written
from .state import check_id

NEW = {"orgID": must(str), "userID": may(str), "permissions": must([PERMISSION]), "description": may(str), "status": may(str)}
CHANGE = {"status": may(str), "description": may(str)}


# There are no pages: the published description has no such parameters, and the real server ignores them.
@routes("GET", "/api/v2/authorizations", query=("userID", "user", "orgID", "org", "id"))
def list_authorizations(call):
    state, found = call.state, call.state.all("authorizations")
    if call.id("id"):
        found = [_found(call, call.id("id"))]
    user = call.id("userID")
    if not user and call.text("user"):
        user = (state.find("users", name=call.text("user")) or state.user(None))["id"]
    org = call.id("orgID")
    if not org and call.text("org"):
        org = state.org_named(call.text("org"))["id"]
    found = [one for one in found if (not user or one["userID"] == user) and (not org or one["orgID"] == org)]
    found = [one for one in found if call.caller.may("read", "authorizations", one["id"], one["orgID"])
             and call.caller.may("read", "users", one["userID"])]
    listed = [view for view in (shown.authorization(one, state) for one in found) if view]
    return ok({"links": {"self": "/api/v2/authorizations"}, "authorizations": listed})


@routes("POST", "/api/v2/authorizations")
def add_authorization(call):
    body = call.body(NEW)
    permissions = [_checked(held) for held in body["permissions"]]
    if not permissions:
        raise invalid("authorization must include permissions")
    status, org_id = _status(body) or "active", check_id(body["orgID"])
    user_id = check_id(body["userID"]) if body.get("userID") else call.caller.user["id"]
    call.caller.need("write", "authorizations", None, org_id)
    call.caller.need("write", "users", user_id)
    for held in permissions:
        resource = held["resource"]
        if not call.caller.may(held["action"], resource["type"], resource.get("id"), resource.get("orgID")):
            raise Refusal("forbidden", f"permission {written(held)} is not allowed: {written(held)} is unauthorized")
    user, org = call.state.find("users", id=user_id), call.state.find("orgs", id=org_id)
    if not (user and org):
        raise invalid("unable to create token")
    authorization = call.state.add_authorization(user, org, permissions, body.get("description") or "", status)
    return created(shown.authorization(authorization, call.state))


@routes("GET", "/api/v2/authorizations/{id}")
def get_authorization(call, id):
    one = _allowed(call, "read", id)
    return ok(shown.authorization(one, call.state) or _gone())


@routes("PATCH", "/api/v2/authorizations/{id}")
def change_authorization(call, id):
    body = call.body(CHANGE)
    status = _status(body)
    one = _allowed(call, "write", id)
    one["status"] = status or one["status"]
    if body.get("description") is not None:
        one["description"] = body["description"]
    touch(one)
    return ok(shown.authorization(one, call.state) or _gone())


@routes("DELETE", "/api/v2/authorizations/{id}")
def drop_authorization(call, id):
    call.state.remove("authorizations", _allowed(call, "write", id))
    return nothing()


def _allowed(call, action, id):
    one = _found(call, check_id(id))
    call.caller.need(action, "authorizations", one["id"], one["orgID"])
    call.caller.need(action, "users", one["userID"])
    return one


def _found(call, id):
    return call.state.find("authorizations", id=id) or _gone()


def _gone():
    raise not_found("authorization not found")


def _checked(held):
    resource = held["resource"]
    if resource["type"] not in TYPES:
        raise invalid(f"invalid resource type for permission: unknown resource type {resource['type']!r} for permission")
    if held["action"] not in ACTIONS:
        raise invalid(f"invalid action type for permission: unknown action {held['action']!r} for permission")
    kept = {name: check_id(resource[name]) for name in ("id", "orgID") if resource.get(name)}
    return {"action": held["action"], "resource": {"type": resource["type"], **kept}}


def _status(body):
    if body.get("status") not in (None, "active", "inactive"):
        raise invalid("unknown authorization status")
    return body.get("status")
