"""Accounts, organisations, members and data sources, as documents of a store that the command line gets at, too."""

import secrets
from datetime import datetime, timezone

from standin import passwords

from .errors import Refusal

MAIN = "Main Org."
LEAST_PASSWORD = 4
NEVER_SEEN = "2015-01-01T00:00:00Z"


class State:
    """One transaction's view."""

    def __init__(self, documents, settings):
        self.documents = documents
        self.settings = settings

    def all(self, kind):
        return self.documents[kind]

    def find(self, kind, **wanted):
        for one in self.documents[kind]:
            if all(one.get(name) == value for name, value in wanted.items()):
                return one
        return None

    def keep(self, kind, stays):
        self.documents[kind] = [one for one in self.documents[kind] if stays(one)]

    def begin(self):
        """At the first start: the main organisation and the server's administrator, whose password counts only now."""
        if self.all("users") or self.settings.on("SECURITY_DISABLE_INITIAL_ADMIN_CREATION"):
            return
        org = self.add_org(MAIN)
        user = self._add_account(self.settings["SECURITY_ADMIN_USER"], self.settings["SECURITY_ADMIN_EMAIL"], "", org["id"])
        user["isAdmin"] = True
        user["password"] = passwords.keep(self.settings["SECURITY_ADMIN_PASSWORD"])
        self.all("members").append({"orgId": org["id"], "userId": user["id"], "role": "Admin"})

    # Accounts

    def user(self, id):
        user = self.find("users", id=id)
        if not user:
            raise Refusal(404, "user not found")
        return user

    def user_named(self, name):
        """By login or email, whatever their case; None if there is none."""
        name = (name or "").lower()
        return next((one for one in self.all("users") if name and name in (one["login"], one["email"].lower())), None)

    def add_user(self, login, email="", name="", org_id=0):
        """An account in the organisation that the settings give new ones; in one of its own when they give none."""
        login = login or email
        if not login:
            raise Refusal(400, "Need to specify either username or email", "user.empty-username-and-email")
        settings = self.settings
        if settings.on("USERS_AUTO_ASSIGN_ORG"):
            org_id = org_id or int(settings["USERS_AUTO_ASSIGN_ORG_ID"])
            if not self.find("orgs", id=org_id):
                raise Refusal(400, "organization not found")
            role = settings["USERS_AUTO_ASSIGN_ORG_ROLE"]
        self.check_free(login, email)
        if not settings.on("USERS_AUTO_ASSIGN_ORG"):
            if self.find("orgs", name=email or login):
                raise Refusal(500, "failed to create user")
            org_id, role = self.add_org(email or login)["id"], "Admin"
        user = self._add_account(login, email or login, name, org_id)
        self.all("members").append({"orgId": org_id, "userId": user["id"], "role": role})
        return user

    def check_free(self, login, email):
        if self.user_named(login) or self.user_named(email):
            raise Refusal(412, f"User with email '{email}' or username '{login}' already exists")

    def _add_account(self, login, email, name, org_id):
        id = self.documents.number("user")
        user = {"id": id, "uid": secrets.token_hex(7), "login": login.lower(), "email": email.lower(), "name": name, "password": None,
                "isAdmin": False, "isDisabled": False, "orgId": org_id, "jwt": None, "created": now(), "updated": now(),
                "seen": NEVER_SEEN}
        self.all("users").append(user)
        return user

    def set_password(self, user, password):
        if len(password) < LEAST_PASSWORD:
            raise Refusal(400, "New password is too short", "user.password-too-short")
        user["password"] = passwords.keep(password)
        user["updated"] = now()
        self.end_sessions(user["id"])

    def remove_user(self, user):
        self.keep("users", lambda one: one["id"] != user["id"])
        self.keep("members", lambda one: one["userId"] != user["id"])
        self.end_sessions(user["id"])

    # Organisations

    def org(self, id):
        org = self.find("orgs", id=id)
        if not org:
            raise Refusal(404, "Organization not found")
        return org

    def add_org(self, name):
        if not name:
            raise Refusal(400, "bad request data")
        if self.find("orgs", name=name):
            raise Refusal(409, "Organization name taken")
        org = {"id": self.documents.number("org"), "name": name}
        self.all("orgs").append(org)
        return org

    def role(self, user, org_id):
        member = self.find("members", orgId=org_id, userId=user["id"])
        return member["role"] if member else None

    def add_member(self, user, org_id, role):
        self.all("members").append({"orgId": org_id, "userId": user["id"], "role": role})
        if not self.role(user, user["orgId"]):
            user["orgId"] = org_id

    def remove_member(self, user, org_id):
        self.keep("members", lambda one: (one["orgId"], one["userId"]) != (org_id, user["id"]))
        if user["orgId"] == org_id:
            others = [one["orgId"] for one in self.all("members") if one["userId"] == user["id"]]
            user["orgId"] = others[0] if others else 0

    def is_last_admin(self, user, org_id):
        admins = [one["userId"] for one in self.all("members") if one["orgId"] == org_id and one["role"] == "Admin"]
        return admins == [user["id"]]

    # Sessions, which outlive the process, as in the real server

    def begin_session(self, user):
        token = secrets.token_hex(16)
        self.all("sessions").append({"token": passwords.fingerprint(token), "userId": user["id"]})
        return token

    def session_user(self, token):
        session = self.find("sessions", token=passwords.fingerprint(token)) if token else None
        return self.find("users", id=session["userId"]) if session else None

    def end_session(self, token):
        self.keep("sessions", lambda one: one["token"] != passwords.fingerprint(token or ""))

    def end_sessions(self, user_id):
        self.keep("sessions", lambda one: one["userId"] != user_id)


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
