"""Organisations, users, buckets and authorizations as the API shows them."""


def org(one):
    base = f"/api/v2/orgs/{one['id']}"
    links = {"self": base, "members": f"{base}/members", "owners": f"{base}/owners", "secrets": f"{base}/secrets",
             "buckets": f"/api/v2/buckets?org={one['name']}"}
    return {"links": links, **one}


def user(one):
    return {"links": {"self": f"/api/v2/users/{one['id']}"}, "id": one["id"], "name": one["name"], "status": one["status"]}


def bucket(one):
    base = f"/api/v2/buckets/{one['id']}"
    links = {"self": base, "org": f"/api/v2/orgs/{one['orgID']}", "members": f"{base}/members", "owners": f"{base}/owners",
             "labels": f"{base}/labels", "write": f"/api/v2/write?org={one['orgID']}&bucket={one['id']}"}
    rule = {"type": "expire", "everySeconds": one["seconds"], "shardGroupDurationSeconds": _shard_seconds(one["seconds"])}
    return {**{name: value for name, value in one.items() if name != "seconds"}, "retentionRules": [rule], "labels": [], "links": links}


def authorization(one, state):
    """None when its user or organisation is gone, as the real server then leaves it out."""
    owner, place = state.find("users", id=one["userID"]), state.find("orgs", id=one["orgID"])
    if not (owner and place):
        return None
    permissions = []
    for held in one["permissions"]:
        resource = dict(held["resource"])
        kind = {"buckets": "buckets", "orgs": "orgs", "users": "users"}.get(resource["type"])
        named = state.find(kind, id=resource["id"]) if kind and "id" in resource else None
        if named:
            resource["name"] = named["name"]
        inside = state.find("orgs", id=resource["orgID"]) if "orgID" in resource else None
        if inside:
            resource["org"] = inside["name"]
        permissions.append({"action": held["action"], "resource": resource})
    links = {"self": f"/api/v2/authorizations/{one['id']}", "user": f"/api/v2/users/{one['userID']}"}
    return {**one, "org": place["name"], "user": owner["name"], "permissions": permissions, "links": links}


def _shard_seconds(seconds):
    # The storage chooses by how long it keeps: an hour below two days, a day below half a year, else a week.
    if 0 < seconds < 2 * 24 * 3600:
        return 3600
    return 24 * 3600 if 0 < seconds <= 180 * 24 * 3600 else 7 * 24 * 3600
