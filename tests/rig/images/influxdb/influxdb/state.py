"""The names and rights, as documents of a store: organisations, users, buckets, authorizations. Ids grow, so they sort by age."""

import base64
import re
import secrets
import time
from datetime import datetime, timezone

from standin import passwords

from .errors import Refusal, conflict, invalid, not_found
from .rights import everything

SYSTEM_BUCKETS = {"_tasks": 3 * 24 * 3600, "_monitoring": 7 * 24 * 3600}
LEAST_PASSWORD, MOST_PASSWORD = 8, 72


class State:
    """One transaction's view."""

    def __init__(self, documents):
        self.documents = documents

    def id(self):
        return f"{self.documents.number('id', time.time_ns()):016x}"

    def all(self, kind):
        return self.documents[kind]

    def find(self, kind, **wanted):
        """The first that has these values, or None."""
        for one in self.documents[kind]:
            if all(one.get(name) == value for name, value in wanted.items()):
                return one
        return None

    def remove(self, kind, one):
        self.documents[kind] = [other for other in self.documents[kind] if other["id"] != one["id"]]

    def org(self, id):
        return self.find("orgs", id=id) or _raise(not_found("organization not found"))

    def org_named(self, name):
        return self.find("orgs", name=name) or _raise(not_found(f'organization name "{name}" not found'))

    def user(self, id):
        return self.find("users", id=id) or _raise(not_found("user not found"))

    def bucket(self, id):
        return self.find("buckets", id=id) or _raise(not_found("bucket not found"))

    def add_org(self, name):
        if not name:
            raise invalid("name is empty")
        if self.find("orgs", name=name):
            raise conflict(f"organization with name {name} already exists")
        org = {"id": self.id(), "name": name, "description": "", "createdAt": now(), "updatedAt": now()}
        self.documents["orgs"].append(org)
        for bucket, seconds in SYSTEM_BUCKETS.items():
            self.add_bucket(org, bucket, seconds, kind="system")
        return org

    def add_user(self, name, status="active"):
        if not name:
            raise invalid("name is empty")
        if self.find("users", name=name):
            raise conflict(f"user with name {name} already exists")
        user = {"id": self.id(), "name": name, "status": status, "password": None, "owns": []}
        self.documents["users"].append(user)
        return user

    def set_password(self, user, password):
        check_password(password)
        user["password"] = passwords.keep(password)

    def add_bucket(self, org, name, seconds, kind="user", description=None):
        check_bucket(name, seconds, kind)
        if self.find("buckets", orgID=org["id"], name=name):
            raise conflict(f"bucket with name {name} already exists")
        bucket = {"id": self.id(), "orgID": org["id"], "type": kind, "name": name, "seconds": seconds,
                  "createdAt": now(), "updatedAt": now()}
        if description:
            bucket["description"] = description
        self.documents["buckets"].append(bucket)
        return bucket

    def add_authorization(self, user, org, permissions, description, status="active", token=None):
        if token and self.find("authorizations", token=token):
            raise conflict("token already exists")
        # As long and of the same letters as the real server's.
        token = token or base64.urlsafe_b64encode(secrets.token_bytes(64)).decode()
        authorization = {"id": self.id(), "token": token, "status": status, "description": description, "orgID": org["id"],
                         "userID": user["id"], "permissions": permissions, "createdAt": now(), "updatedAt": now()}
        self.documents["authorizations"].append(authorization)
        return authorization

    def set_up(self, username, password, org, bucket, token, seconds):
        """The first user, who owns the first organisation, its bucket, and the operator's token."""
        if self.all("users") or self.all("orgs"):
            raise conflict("onboarding has already been completed")
        if not (username and org and bucket):
            raise Refusal("empty value", "onboard failed, missing value")
        user = self.add_user(username)
        if password:
            self.set_password(user, password)
        made = self.add_org(org)
        user["owns"].append(made["id"])
        first = self.add_bucket(made, bucket, seconds)
        authorization = self.add_authorization(user, made, everything(), f"{username}'s Token", token=token)
        return user, made, first, authorization


def check_password(password):
    length = len(password.encode())
    if length < LEAST_PASSWORD:
        raise invalid(f"passwords must be at least {LEAST_PASSWORD} characters long")
    if length > MOST_PASSWORD:
        raise invalid(f"passwords must be at most {MOST_PASSWORD} bytes long")


def check_bucket(name, seconds, kind="user"):
    if not name:
        raise invalid("name is empty")
    if name.startswith("_") and kind != "system":
        raise invalid(f"bucket name {name} is invalid. Buckets may not start with underscore")
    if '"' in name:
        raise invalid(f"bucket name {name} is invalid. Bucket names may not include quotation marks")
    if 0 < seconds < 3600:
        # The real server's storage refuses it, so that it comes as an error of its own.
        raise Refusal("internal error", "retention policy duration must be at least 1h0m0s")


def check_id(value):
    if not re.fullmatch("[0-9a-f]{16}", value):
        raise invalid("id must have a length of 16 bytes")
    if set(value) == {"0"}:
        raise invalid("invalid ID")
    return value


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _raise(refusal):
    raise refusal
