"""What a token or a session may do. A permission is an action on a type of resource, of one organisation, of one id, or of all."""

from standin.shapes import may, must

from .errors import Refusal

# The types that the published description lists.
TYPES = (
    "authorizations", "buckets", "dashboards", "orgs", "tasks", "telegrafs", "users", "variables", "secrets", "labels", "views",
    "documents", "notificationRules", "notificationEndpoints", "checks", "dbrp", "annotations", "sources", "scrapers", "notebooks",
    "remotes", "replications", "instance", "flows", "functions",
)
ACTIONS = ("read", "write")
PERMISSION = {
    "action": must(str),
    "resource": must({"type": must(str), "id": may(str), "orgID": may(str), "name": may(str), "org": may(str)}),
}


def everything():
    """The operator's permissions: all types, of every organisation."""
    return [permission(action, kind) for kind in TYPES for action in ACTIONS]


def of_owner(org):
    """The permissions of who owns an organisation."""
    return [
        permission(action, kind, org["id"], None) if kind == "orgs" else permission(action, kind, None, org["id"])
        for kind in TYPES for action in ACTIONS
    ]


def permission(action, kind, id=None, org=None):
    resource = {"type": kind}
    if id:
        resource["id"] = id
    if org:
        resource["orgID"] = org
    return {"action": action, "resource": resource}


def allows(held, wanted):
    """Whether a held permission covers the wanted one."""
    mine, other = held["resource"], wanted["resource"]
    if held["action"] != wanted["action"] or mine["type"] != other["type"]:
        return False
    if mine.get("id"):
        same_org = not mine.get("orgID") or not other.get("orgID") or mine["orgID"] == other["orgID"]
        return mine["id"] == other.get("id") and same_org
    return not mine.get("orgID") or mine["orgID"] == other.get("orgID")


def written(wanted):
    """As the real server spells a permission in its messages."""
    resource = wanted["resource"]
    place = ["orgs", resource["orgID"]] if resource.get("orgID") else []
    place.append(resource["type"])
    if resource.get("id"):
        place.append(resource["id"])
    return f"{wanted['action']}:{'/'.join(place)}"


class Caller:
    """Who asks. A token that is not active is known, but may do nothing."""

    def __init__(self, user, permissions, active=True):
        self.user = user
        self.permissions = permissions
        self.active = active

    def may(self, action, kind, id=None, org=None):
        return self.active and any(allows(held, permission(action, kind, id, org)) for held in self.permissions)

    def need(self, action, kind, id=None, org=None):
        """Refuses with 401, as the real server does for rights, too."""
        if not self.active:
            raise Refusal("unauthorized", "token is inactive")
        if not self.may(action, kind, id, org):
            raise Refusal("unauthorized", f"{written(permission(action, kind, id, org))} is unauthorized")
