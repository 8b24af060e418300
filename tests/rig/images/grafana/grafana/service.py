"""Answers the requests: finds the call, who asks, and whether what is asked is in the published description."""

import json

from standin.http import Reply
from standin.routes import NoSuchMethod, NoSuchPath

# Imported for the calls they note.
from . import accounts, datasources, orgs, pages  # noqa: F401
from . import identity
from .calls import Call, routes
from .errors import Refusal, unauthorized
from .jwts import Verifier
from .state import State

VERSION = "11.6.0"


class Service:
    def __init__(self, store, settings):
        self.store = store
        self.settings = settings
        self.verifier = Verifier(settings) if settings.on("AUTH_JWT_ENABLED") else None
        with store.transaction() as documents:
            State(documents, settings).begin()

    def handle(self, request):
        moved = self._place(request)
        if moved:
            return moved
        if request.path == "/api/health" and request.method in ("GET", "HEAD"):
            body = {"database": "ok", "version": VERSION, "commit": "stand-in"}
            return Reply(200, json.dumps(body, indent=2).encode(), [("Content-Type", "application/json; charset=UTF-8")])
        try:
            route, values = self._known(request)
            # What signing in makes or changes stays, whatever becomes of the request.
            with self.store.transaction() as documents:
                who = self._identify(request, State(documents, self.settings), route)
            with self.store.transaction() as documents:
                answer = self._answer(request, State(documents, self.settings), route, values, who)
            return answer() if callable(answer) else answer
        except Refusal as refusal:
            return refusal.reply()
        except NoSuchMethod as error:
            return Refusal(405, f"Method not allowed: {request.path} has {', '.join(error.allowed)}").reply()
        except NoSuchPath:
            return Refusal(404, "Not found").reply()

    def _place(self, request):
        """Takes the sub-path from a request; leads one without it to where it belongs, but for the API."""
        if not self.settings.serves_sub_path:
            return None
        sub_path = self.settings.sub_path
        if request.path == sub_path or request.path.startswith(f"{sub_path}/"):
            request.path = request.path[len(sub_path):] or "/"
        elif not request.path.startswith("/api"):
            return Reply(301, headers=[("Location", f"{self.settings.url}/{request.target.lstrip('/')}")])
        return None

    def _answer(self, request, state, route, values, who):
        """`who` is the account and the organisation of the request, or None."""
        if who:
            user_id, org_id, role = who
            user = state.find("users", id=user_id) if user_id else None
            who = identity.Identity(user, org_id, state.role(user, org_id) if user else role)
        elif not (route.options.get("open") or route.options.get("page")):
            raise unauthorized()
        return route.answer(Call(request, state, self, who), **values)

    def _known(self, request):
        """The call that is asked for, if it is one of the published description."""
        route, values = routes.find(request.method, request.path)
        for name in request.query:
            if name not in route.query:
                known = ", ".join(sorted(route.query)) or "none"
                raise Refusal(400, f"{request.path} has no query parameter {name!r}; it knows {known}")
        return route, values

    def _identify(self, request, state, route):
        if route.options.get("open"):
            return None
        try:
            who = identity.find(request, state, self.verifier)
        except Refusal:
            # A page leads to where one can sign in; the API says what is wrong.
            if not route.options.get("page"):
                raise
            return None
        return (who.user["id"] if who.user else None, who.org_id, who.role) if who else None
