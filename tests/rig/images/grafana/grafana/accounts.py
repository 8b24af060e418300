"""The calls of the server's administrator about accounts."""

from standin.shapes import may, must

from .calls import done, id_of, ok, routes
from .errors import Refusal

NEW = {"name": may(str), "email": may(str), "login": may(str), "password": must(str), "OrgId": may(int)}


def shown(user):
    return {"id": user["id"], "uid": user["uid"], "name": user["name"], "login": user["login"], "email": user["email"], "avatarUrl": "",
            "isAdmin": user["isAdmin"], "isDisabled": user["isDisabled"], "lastSeenAt": user["seen"], "lastSeenAtAge": "< 1 minute",
            "authLabels": ["JWT"] if user["jwt"] else []}


def profile(user, settings):
    return {"id": user["id"], "uid": user["uid"], "email": user["email"], "name": user["name"], "login": user["login"], "theme": "",
            "orgId": user["orgId"], "isGrafanaAdmin": user["isAdmin"], "isDisabled": user["isDisabled"],
            "isExternal": bool(user["jwt"]), "isExternallySynced": is_synced(user, settings), "isGrafanaAdminExternallySynced": False,
            "authLabels": ["JWT"] if user["jwt"] else [], "updatedAt": user["updated"], "createdAt": user["created"], "avatarUrl": ""}


def is_synced(user, settings):
    """Whether his roles come with his tokens."""
    return bool(user["jwt"]) and settings.on("AUTH_JWT_ENABLED") and not settings.on("AUTH_JWT_SKIP_ORG_ROLE_SYNC")


def _page(call):
    """The accounts that are asked for, how many there are in all, and which page it is of what size."""
    call.identity.need_server_admin("users:read")
    text = call.request.query.get("query", "").lower()
    found = [one for one in call.state.all("users") if text in one["login"] or text in one["email"] or text in one["name"].lower()]
    found.sort(key=lambda one: (one["login"], one["email"]))
    page, size = max(call.number("page", 1), 1), call.number("perpage", 1000)
    size = size if size > 0 else 1000
    return [shown(one) for one in found[(page - 1) * size:page * size]], len(found), page, size


@routes("GET", "/api/users", query=("perpage", "page", "query", "sort"))
def list_users(call):
    return ok(_page(call)[0])


@routes("GET", "/api/users/search", query=("perpage", "page", "query", "sort"))
def search_users(call):
    users, total, page, size = _page(call)
    return ok({"totalCount": total, "users": users, "page": page, "perPage": size})


@routes("GET", "/api/users/lookup", query=("loginOrEmail",))
def look_up(call):
    call.identity.need_server_admin("users:read")
    user = call.state.user_named(call.request.query.get("loginOrEmail"))
    if not user:
        raise Refusal(404, "user not found")
    return ok(profile(user, call.state.settings))


@routes("GET", "/api/users/{id}")
def get_user(call, id):
    call.identity.need_server_admin("users:read")
    return ok(profile(call.state.user(id_of(id)), call.state.settings))


@routes("GET", "/api/users/{id}/orgs")
def user_orgs(call, id):
    call.identity.need_server_admin("users:read")
    return ok(orgs_of(call.state, call.state.user(id_of(id))))


@routes("POST", "/api/users/{id}/using/{org_id}")
def use_org_of(call, id, org_id):
    call.identity.need_server_admin("users:write")
    return use(call.state, call.state.user(id_of(id)), id_of(org_id, "orgId"))


@routes("POST", "/api/admin/users")
def add_user(call):
    body = call.body(NEW)
    call.identity.need_server_admin("users:create")
    if len(body["password"]) < 4:
        raise Refusal(400, "Password is missing or too short")
    user = call.state.add_user(body.get("login") or "", body.get("email") or "", body.get("name") or "", body.get("OrgId") or 0)
    call.state.set_password(user, body["password"])
    return ok({"id": user["id"], "uid": user["uid"], "message": "User created"})


@routes("PUT", "/api/admin/users/{id}/password")
def set_password(call, id):
    body = call.body({"password": must(str)})
    call.identity.need_server_admin("users.password:write")
    user = call.state.user(id_of(id))
    if user["jwt"] and call.state.settings.on("AUTH_JWT_ENABLED"):
        raise Refusal(403, "Cannot update external User")
    call.state.set_password(user, body["password"])
    return done("User password updated")


@routes("PUT", "/api/admin/users/{id}/permissions")
def set_permissions(call, id):
    body = call.body({"isGrafanaAdmin": must(bool)})
    call.identity.need_server_admin("users.permissions:write")
    user = call.state.user(id_of(id))
    admins = [one["id"] for one in call.state.all("users") if one["isAdmin"]]
    if not body["isGrafanaAdmin"] and admins == [user["id"]]:
        raise Refusal(400, "cannot remove last grafana admin")
    user["isAdmin"] = body["isGrafanaAdmin"]
    return done("User permissions updated")


@routes("POST", "/api/admin/users/{id}/disable")
def disable(call, id):
    return _able(call, id, True)


@routes("POST", "/api/admin/users/{id}/enable")
def enable(call, id):
    return _able(call, id, False)


def _able(call, id, disabled):
    word = "disable" if disabled else "enable"
    call.identity.need_server_admin(f"users:{word}")
    user = call.state.user(id_of(id))
    # Whoever came by a signed token is not for this call, and the real server says so with a 500.
    if user["jwt"]:
        raise Refusal(500, f"Could not {word} external user")
    user["isDisabled"] = disabled
    if disabled:
        call.state.end_sessions(user["id"])
    return done(f"User {word}d")


@routes("POST", "/api/admin/users/{id}/logout")
def log_out(call, id):
    call.identity.need_server_admin("users:logout")
    if id_of(id) == call.user["id"]:
        raise Refusal(400, "You cannot logout yourself")
    call.state.end_sessions(call.state.user(id_of(id))["id"])
    return done("User logged out")


@routes("DELETE", "/api/admin/users/{id}")
def drop_user(call, id):
    call.identity.need_server_admin("users:delete")
    call.state.remove_user(call.state.user(id_of(id)))
    return done("User deleted")


def orgs_of(state, user):
    members = [one for one in state.all("members") if one["userId"] == user["id"]]
    return [{"orgId": one["orgId"], "name": state.org(one["orgId"])["name"], "role": one["role"]} for one in members]


def use(state, user, org_id):
    """Makes it the organisation that the account is in."""
    if state.role(user, org_id) is None:
        raise Refusal(401, "Not a valid organization")
    user["orgId"] = org_id
    return done("Active organization changed")
