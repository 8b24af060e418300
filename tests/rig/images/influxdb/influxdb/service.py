"""Answers the requests: finds the call, who asks, and whether what is asked is in the published description."""

import time
from datetime import datetime, timezone

from standin.http import Reply, in_json
from standin.routes import NoSuchMethod, NoSuchPath

# Imported for the calls they note.
from . import authorizations, buckets, data, names  # noqa: F401
from .calls import Call, routes
from .errors import Refusal, invalid, not_found
from .rights import Caller, of_owner, permission
from .sessions import UNAUTHORIZED, Sessions
from .state import State

VERSION = "v2.7.12"
SCHEMES = ("token", "bearer")


class Service:
    def __init__(self, store, points):
        self.store = store
        self.points = points
        self.sessions = Sessions()
        self.started = time.time()

    def handle(self, request):
        alive = self._alive(request)
        if alive:
            return alive
        try:
            with self.store.transaction() as documents:
                return self._answer(request, State(documents))
        except Refusal as refusal:
            return refusal.reply()
        except NoSuchMethod as error:
            refusal = Refusal("method not allowed", f"allow: {', '.join(error.allowed)}")
            return refusal.reply([("Allow", ", ".join(error.allowed))])
        except NoSuchPath:
            return not_found("path not found").reply()

    def _answer(self, request, state):
        try:
            route, values = routes.find(request.method, request.path)
            is_open = route.options.get("open", False)
        except (NoSuchPath, NoSuchMethod):
            # Who does not say who he is learns nothing of what there is.
            self._caller(request, state)
            raise
        caller = None if is_open else self._caller(request, state)
        for name in request.query:
            if name not in route.query:
                known = ", ".join(sorted(route.query)) or "none"
                raise invalid(f"{request.path} has no query parameter {name!r}; it knows {known}")
        return route.answer(Call(request, state, self, caller), **values)

    def _caller(self, request, state):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() in SCHEMES:
            authorization = state.find("authorizations", token=token.strip()) if token.strip() else None
            if not authorization:
                raise Refusal("unauthorized", UNAUTHORIZED)
            user = _active(state.find("users", id=authorization["userID"]))
            return Caller(user, authorization["permissions"], authorization["status"] == "active")
        user_id = self.sessions.users.get(request.cookie("session"))
        if not user_id:
            raise Refusal("unauthorized", UNAUTHORIZED)
        user = _active(state.find("users", id=user_id))
        permissions = [permission(action, "users", user["id"]) for action in ("read", "write")]
        for org_id in user["owns"]:
            permissions += of_owner({"id": org_id})
        return Caller(user, permissions)

    def _alive(self, request):
        if request.method not in ("GET", "HEAD"):
            return None
        if request.path == "/ping":
            return Reply(204, headers=[("X-Influxdb-Version", VERSION), ("X-Influxdb-Build", "OSS")])
        if request.path == "/health":
            return in_json(200, {"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": [],
                                 "version": VERSION, "commit": "stand-in"})
        if request.path == "/ready":
            started = datetime.fromtimestamp(self.started, timezone.utc).isoformat()
            return in_json(200, {"status": "ready", "started": started, "up": f"{int(time.time() - self.started)}s"})
        return None


def _active(user):
    if not user or user["status"] != "active":
        raise Refusal("forbidden", "User is inactive")
    return user
