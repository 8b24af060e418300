"""The calls about organisations and who is in them."""

from standin.shapes import may, must

from .accounts import is_synced
from .calls import done, id_of, ok, routes
from .errors import Refusal, forbidden
from .identity import RANKS
from .settings import ROLES

NEW_MEMBER = {"loginOrEmail": must(str), "role": must(str)}


@routes("GET", "/api/orgs", query=("perpage", "page", "name", "query"))
def list_orgs(call):
    call.identity.need_server_admin("orgs:read")
    name, text = call.request.query.get("name"), call.request.query.get("query", "")
    found = [one for one in call.state.all("orgs") if (not name or one["name"] == name) and one["name"].startswith(text)]
    # Counted from 0, other than the pages of accounts.
    page, size = call.number("page", 0), call.number("perpage", 1000)
    size = size if size > 0 else 1000
    return ok(found[page * size:(page + 1) * size])


@routes("POST", "/api/orgs")
def add_org(call):
    body = call.body({"name": must(str)})
    if not call.state.settings.on("USERS_ALLOW_ORG_CREATE"):
        call.identity.need_server_admin("orgs:create")
    org = call.state.add_org(body["name"])
    call.state.add_member(call.user, org["id"], "Admin")
    return done("Organization created", orgId=org["id"])


@routes("GET", "/api/orgs/name/{name}")
def get_org_named(call, name):
    call.identity.need_server_admin("orgs:read")
    org = call.state.find("orgs", name=name)
    if not org:
        raise Refusal(404, "Organization not found")
    return ok(_shown(org))


@routes("GET", "/api/orgs/{id}")
def get_org(call, id):
    call.identity.need_server_admin("orgs:read")
    return ok(_shown(call.state.org(id_of(id, "orgId"))))


@routes("PUT", "/api/orgs/{id}")
def rename_org(call, id):
    body = call.body({"name": must(str)})
    call.identity.need_server_admin("orgs:write")
    org = call.state.org(id_of(id, "orgId"))
    other = call.state.find("orgs", name=body["name"])
    if other and other["id"] != org["id"]:
        raise Refusal(400, "Organization name taken")
    org["name"] = body["name"]
    return done("Organization updated")


@routes("DELETE", "/api/orgs/{id}")
def drop_org(call, id):
    call.identity.need_server_admin("orgs:delete")
    org_id = id_of(id, "orgId")
    if call.identity.org_id == org_id:
        raise Refusal(400, "Can not delete org for current user")
    if not call.state.find("orgs", id=org_id):
        raise Refusal(404, "Failed to delete organization. ID not found")
    for user in call.state.all("users"):
        if call.state.role(user, org_id):
            call.state.remove_member(user, org_id)
    call.state.keep("datasources", lambda one: one["orgId"] != org_id)
    call.state.keep("orgs", lambda one: one["id"] != org_id)
    return done("Organization deleted")


@routes("GET", "/api/orgs/{id}/users")
def list_members(call, id):
    org_id = id_of(id, "orgId")
    _need_admin_of(call, org_id, "org.users:read")
    return ok(_members(call.state, org_id))


@routes("GET", "/api/org")
def current_org(call):
    call.identity.need("Viewer", "orgs:read")
    return ok(_shown(call.state.org(call.identity.org_id)))


@routes("GET", "/api/org/users", query=("query", "limit"))
def list_own_members(call):
    call.identity.need("Admin", "org.users:read")
    return ok(_members(call.state, call.identity.org_id))


@routes("POST", "/api/orgs/{id}/users")
def add_member(call, id):
    body, org_id = call.body(NEW_MEMBER), id_of(id, "orgId")
    _need_admin_of(call, org_id, "org.users:add")
    _check_role(call, body["role"])
    user = call.state.user_named(body["loginOrEmail"])
    if not user:
        raise Refusal(404, "User not found")
    if call.state.role(user, org_id):
        raise Refusal(409, "User is already member of this organization", userId=user["id"])
    if not call.state.find("orgs", id=org_id):
        raise Refusal(500, "Could not add user to organization")
    call.state.add_member(user, org_id, body["role"])
    return done("User added to organization", userId=user["id"])


@routes("PATCH", "/api/orgs/{id}/users/{user_id}")
def change_member(call, id, user_id):
    body, org_id, user_id = call.body({"role": may(str)}), id_of(id, "orgId"), id_of(user_id, "userId")
    _need_admin_of(call, org_id, "org.users:write")
    _check_role(call, body.get("role"))
    user = call.state.find("users", id=user_id)
    if user and is_synced(user, call.state.settings):
        raise Refusal(403, "Cannot change role for externally synced user", "org.externallySynced")
    member = call.state.find("members", orgId=org_id, userId=user_id)
    if not member:
        raise Refusal(500, "Failed update org user")
    if body["role"] != "Admin" and call.state.is_last_admin(user, org_id):
        raise Refusal(400, "Cannot change role so that there is no organization admin left")
    member["role"] = body["role"]
    return done("Organization user updated")


@routes("DELETE", "/api/orgs/{id}/users/{user_id}")
def drop_member(call, id, user_id):
    org_id, user_id = id_of(id, "orgId"), id_of(user_id, "userId")
    _need_admin_of(call, org_id, "org.users:remove")
    user = call.state.find("users", id=user_id)
    if not user:
        raise Refusal(500, "Failed to remove user from organization")
    if call.state.is_last_admin(user, org_id):
        raise Refusal(400, "Cannot remove last organization admin")
    call.state.remove_member(user, org_id)
    return done("User removed from organization")


def _need_admin_of(call, org_id, action):
    """An administrator of the server, or of the organisation."""
    user = call.user
    if not user["isAdmin"] and call.state.role(user, org_id) != "Admin":
        raise forbidden(action)


def _check_role(call, role):
    if role not in ROLES:
        raise Refusal(400, "Invalid role specified")
    if not call.user["isAdmin"] and RANKS[call.identity.role] < RANKS[role]:
        raise Refusal(403, "Cannot assign a role higher than user's role")


def _members(state, org_id):
    members = [(one, state.user(one["userId"])) for one in state.all("members") if one["orgId"] == org_id]
    return [
        {"orgId": org_id, "userId": user["id"], "uid": user["uid"], "email": user["email"], "name": user["name"], "avatarUrl": "",
         "login": user["login"], "role": member["role"], "lastSeenAt": user["seen"], "lastSeenAtAge": "< 1 minute",
         "created": user["created"], "updated": user["updated"], "isDisabled": user["isDisabled"],
         "authLabels": ["JWT"] if user["jwt"] else [], "isExternallySynced": is_synced(user, state.settings)}
        for member, user in sorted(members, key=lambda pair: pair[1]["login"])
    ]


def _shown(org):
    address = {name: "" for name in ("address1", "address2", "city", "zipCode", "state", "country")}
    return {"id": org["id"], "name": org["name"], "address": address}
