"""Signing in by password for a cookie. Sessions end with the process, as the real server's."""

import secrets

from standin import passwords

from .calls import nothing, routes
from .errors import Refusal

UNAUTHORIZED = "unauthorized access"


class Sessions:
    def __init__(self):
        self.users = {}

    def begin(self, user):
        key = secrets.token_urlsafe(48)
        self.users[key] = user["id"]
        return key

    def end_of(self, user_id):
        self.users = {key: id for key, id in self.users.items() if id != user_id}

    @staticmethod
    def with_password(state, name, password):
        user = state.find("users", name=name)
        return user if user and passwords.fits(user["password"], password) else None


@routes("POST", "/api/v2/signin", open=True)
def sign_in(call):
    pair = call.request.basic()
    user = Sessions.with_password(call.state, *pair) if pair else None
    if not user or user["status"] != "active":
        raise Refusal("unauthorized", UNAUTHORIZED)
    cookie = f"session={call.service.sessions.begin(user)}; Path=/api/; HttpOnly; SameSite=Strict"
    return nothing([("Set-Cookie", cookie)])


@routes("POST", "/api/v2/signout", open=True)
def sign_out(call):
    if call.service.sessions.users.pop(call.request.cookie("session"), None) is None:
        raise Refusal("unauthorized", UNAUTHORIZED)
    return nothing()
