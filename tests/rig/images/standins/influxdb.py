#!/usr/bin/python3
"""A stand-in for InfluxDB 2.7: NOT InfluxDB. It takes what the API's description (InfluxData, "InfluxDB OSS v2 API") has of health, setup,
organisations, buckets, tokens, writing and a little of reading, refuses what the real one refuses, and keeps what it was told.

Its first start is the published image's: with DOCKER_INFLUXDB_INIT_MODE=setup it is set up before it can be reached.
"""

import os
import secrets
import sys

import flux
from standin import Answer, Refused, Route, Store, serve, tls

DATA = os.path.join(os.path.dirname(os.environ.get("INFLUXD_BOLT_PATH", "/var/lib/influxdb2/influxd.bolt")), "state.json")
CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    422: "conflict",
}
PERMISSION_TYPES = {"authorizations", "buckets", "orgs", "users", "tasks", "dashboards", "sources", "telegrafs"}


def fault(status, text):
    return Refused(status, {"code": CODES[status], "message": text})


def new_id():
    return secrets.token_hex(8)


def is_id(text):
    return len(text) == 16 and all(c in "0123456789abcdef" for c in text)


def setting(name):
    """As the image's entrypoint reads it: a file, where there is one."""
    path = os.environ.get(f"DOCKER_INFLUXDB_INIT_{name}_FILE")
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\n")
    return os.environ.get(f"DOCKER_INFLUXDB_INIT_{name}", "")


def fresh():
    state = {"org": None, "user": None, "buckets": [], "authorizations": [], "points": {}}
    if os.environ.get("DOCKER_INFLUXDB_INIT_MODE") == "setup":
        words = {name: setting(name) for name in ("USERNAME", "PASSWORD", "ORG", "BUCKET")}
        missing = [name for name, value in words.items() if not value]
        if missing:
            sys.exit(f"missing parameter, cannot init InfluxDB: {missing}")
        set_up(state, words["USERNAME"], words["PASSWORD"], words["ORG"], words["BUCKET"], setting("ADMIN_TOKEN"))
    return state


def set_up(state, user, password, org, bucket, token):
    if not 8 <= len(password) <= 72:
        raise fault(400, "passwords must be between 8 and 72 characters long")
    state["org"] = {"id": new_id(), "name": org}
    state["user"] = {"id": new_id(), "name": user}
    for name, kind in (("_monitoring", "system"), ("_tasks", "system"), (bucket, "user")):
        make_bucket(state, name, kind, None)
    authorization = {
        "id": new_id(),
        "token": token or secrets.token_urlsafe(64),
        "status": "active",
        "description": f"{user}'s Token",
        "orgID": state["org"]["id"],
        "userID": state["user"]["id"],
        "permissions": [
            {"action": action, "resource": {"type": kind}} for kind in PERMISSION_TYPES for action in ("read", "write")
        ],
    }
    state["authorizations"].append(authorization)
    return authorization


def make_bucket(state, name, kind, description):
    bucket = {"id": new_id(), "orgID": state["org"]["id"], "type": kind, "name": name, "retentionRules": []}
    if description:
        bucket["description"] = description
    state["buckets"].append(bucket)
    state["buckets"].sort(key=lambda one: one["id"])
    return bucket


class InfluxDb:
    """The service: each route's handler has the state, the request, who asks, and the words of the path."""

    fault = staticmethod(fault)

    def __init__(self):
        self.store = Store(DATA, fresh)
        self.routes = [
            Route("GET", "/health", self.health, open=True),
            Route("GET", "/ping", lambda *_: Answer(204), open=True),
            Route("GET", "/ready", self.ready, open=True),
            Route("GET", "/api/v2/setup", self.may_set_up, open=True),
            Route(
                "POST",
                "/api/v2/setup",
                self.setup,
                fields={
                    "username": "text!",
                    "password": "text",
                    "org": "text!",
                    "bucket": "text!",
                    "token": "text",
                    "retentionPeriodSeconds": "number",
                    "retentionPeriodHrs": "number",
                },
                open=True,
            ),
            Route("GET", "/api/v2/orgs", self.orgs, query=["offset", "limit", "descending", "org", "orgID", "userID"]),
            Route(
                "GET",
                "/api/v2/buckets",
                self.buckets,
                query=["offset", "limit", "after", "org", "orgID", "name", "id"],
            ),
            Route(
                "POST",
                "/api/v2/buckets",
                self.post_bucket,
                fields={
                    "orgID": "text!",
                    "name": "text!",
                    "description": "text",
                    "rp": "text",
                    "retentionRules": "list",
                    "schemaType": "text",
                },
            ),
            Route(
                "PATCH",
                "/api/v2/buckets/{id}",
                self.patch_bucket,
                fields={"name": "text", "description": "text", "retentionRules": "list"},
            ),
            Route("DELETE", "/api/v2/buckets/{id}", self.delete_bucket),
            Route("GET", "/api/v2/authorizations", self.authorizations, query=["userID", "user", "orgID", "org"]),
            Route(
                "POST",
                "/api/v2/authorizations",
                self.post_authorization,
                fields={
                    "orgID": "text!",
                    "userID": "text",
                    "description": "text",
                    "status": "text",
                    "permissions": "list!",
                },
            ),
            Route(
                "PATCH",
                "/api/v2/authorizations/{id}",
                self.patch_authorization,
                fields={"status": "text", "description": "text"},
            ),
            Route("DELETE", "/api/v2/authorizations/{id}", self.delete_authorization),
            Route("POST", "/api/v2/write", self.write, query=["org", "orgID", "bucket", "precision"]),
            Route("POST", "/api/v2/query", self.read, query=["org", "orgID"]),
        ]

    def prepare(self, _request):
        return None

    def act(self, route, request, words):
        with self.store as state:
            who = None if route.more.get("open") else self.who(state, request)
            return route.act(state, request, who, **words)

    def who(self, state, request):
        scheme, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() in ("token", "bearer"):
            for one in state["authorizations"]:
                if secrets.compare_digest(one["token"].encode(), token.encode()):
                    if one["status"] != "active":
                        raise fault(401, "token is inactive")
                    return one
        raise fault(401, "unauthorized access")

    @staticmethod
    def may(who, action, kind, ident=None):
        return any(
            one["action"] == action
            and one["resource"]["type"] == kind
            and one["resource"].get("id") in (None, ident)
            for one in who["permissions"]
        )

    def need(self, who, action, kind, ident=None):
        if not self.may(who, action, kind, ident):
            raise fault(401, f"{action}:{kind}/{ident or ''} is unauthorized")

    def health(self, *_):
        return Answer(body={"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": []})

    def ready(self, *_):
        return Answer(body={"status": "ready"})

    def may_set_up(self, state, *_):
        return Answer(body={"allowed": state["org"] is None})

    def setup(self, state, request, _who):
        if state["org"] is not None:
            raise fault(422, "onboarding has already been completed")
        body = request.json
        auth = set_up(state, body["username"], body.get("password", ""), body["org"], body["bucket"], body.get("token"))
        return Answer(201, {"user": state["user"], "org": state["org"], "auth": auth})

    def orgs(self, state, request, who):
        wanted = request.query.get("org", state["org"]["name"])
        if wanted != state["org"]["name"]:
            raise fault(404, f'organization name "{wanted}" not found')
        return Answer(body={"orgs": [state["org"]] if self.may(who, "read", "orgs", state["org"]["id"]) else []})

    def buckets(self, state, request, who):
        found = [one for one in state["buckets"] if self.may(who, "read", "buckets", one["id"])]
        if "name" in request.query:
            found = [one for one in found if one["name"] == request.query["name"]]
        limit = int(request.query.get("limit", 20))
        if not 1 <= limit <= 100:
            raise fault(400, "limit must be between 1 and 100")
        if "after" in request.query:
            found = [one for one in found if one["id"] > request.query["after"]]
        return Answer(body={"links": {}, "buckets": found[int(request.query.get("offset", 0)) :][:limit]})

    def bucket(self, state, ident):
        for one in state["buckets"]:
            if one["id"] == ident:
                return one
        raise fault(404, "bucket not found") if is_id(ident) else fault(400, "id must have a length of 16 bytes")

    def post_bucket(self, state, request, who):
        self.need(who, "write", "buckets")
        body = request.json
        if body["orgID"] != state["org"]["id"]:
            raise fault(400, "organization id must be provided")
        if not body["name"] or body["name"].startswith("_"):
            raise fault(400, f"bucket name {body['name']} is invalid")
        if any(one["name"] == body["name"] for one in state["buckets"]):
            raise fault(422, f"bucket with name {body['name']} already exists")
        return Answer(201, make_bucket(state, body["name"], "user", body.get("description")))

    def patch_bucket(self, state, request, who, id):
        self.need(who, "write", "buckets", id)
        bucket = self.bucket(state, id)
        bucket.update(request.json)
        return Answer(body=bucket)

    def delete_bucket(self, state, _request, who, id):
        self.need(who, "write", "buckets", id)
        state["buckets"].remove(self.bucket(state, id))
        state["points"].pop(id, None)
        return Answer(204)

    def authorizations(self, state, _request, who):
        mine = [one for one in state["authorizations"] if self.may(who, "read", "authorizations", one["id"])]
        # From 2.9 on tokens are kept as hashes, and not shown again.
        return Answer(body={"links": {}, "authorizations": [dict(one, token="REDACTED") for one in mine]})

    def post_authorization(self, state, request, who):
        self.need(who, "write", "authorizations")
        body = request.json
        if not body["permissions"]:
            raise fault(400, "authorization must include permissions")
        for one in body["permissions"]:
            resource = one.get("resource", {})
            if one.get("action") not in ("read", "write") or resource.get("type") not in PERMISSION_TYPES:
                raise fault(400, "unknown action or type for permission")
            if not all(is_id(resource[key]) for key in ("id", "orgID") if key in resource):
                raise fault(400, "provided id is not valid")
        if body["orgID"] != state["org"]["id"]:
            raise fault(400, "org id required")
        if body.get("status", "active") not in ("active", "inactive"):
            raise fault(400, "invalid status")
        made = {
            "id": new_id(),
            "token": secrets.token_urlsafe(64),
            "status": body.get("status", "active"),
            "description": body.get("description", ""),
            "orgID": body["orgID"],
            "userID": state["user"]["id"],
            "permissions": body["permissions"],
        }
        state["authorizations"].append(made)
        return Answer(201, made)

    def authorization(self, state, ident):
        for one in state["authorizations"]:
            if one["id"] == ident:
                return one
        raise fault(404, "authorization not found") if is_id(ident) else fault(400, "id must have a length of 16 bytes")

    def patch_authorization(self, state, request, who, id):
        self.need(who, "write", "authorizations")
        found = self.authorization(state, id)
        if request.json.get("status", "active") not in ("active", "inactive"):
            raise fault(400, "invalid status")
        found.update(request.json)
        return Answer(body=dict(found, token="REDACTED"))

    def delete_authorization(self, state, _request, who, id):
        self.need(who, "write", "authorizations")
        state["authorizations"].remove(self.authorization(state, id))
        return Answer(204)

    def named(self, state, request):
        org = request.query.get("org", state["org"]["name"])
        if org not in (state["org"]["name"], state["org"]["id"]):
            raise fault(404, f'organization name "{org}" not found')

    def write(self, state, request, who):
        self.named(state, request)
        wanted = request.query.get("bucket", "")
        found = [one for one in state["buckets"] if wanted in (one["name"], one["id"])]
        if not found:
            raise fault(404, f'bucket "{wanted}" not found')
        if not self.may(who, "write", "buckets", found[0]["id"]):
            raise fault(403, "insufficient permissions for write")
        points = flux.points(request, request.query.get("precision", "ns"))
        state["points"].setdefault(found[0]["id"], []).extend(points)
        return Answer(204)

    def read(self, state, request, who):
        self.named(state, request)
        readable = {one["name"]: one["id"] for one in state["buckets"] if self.may(who, "read", "buckets", one["id"])}
        return flux.answer(request, readable, state["points"])


def main():
    port = int(os.environ.get("INFLUXD_HTTP_BIND_ADDRESS", ":8086").rpartition(":")[2])
    chain, key = (os.environ.get(f"INFLUXD_TLS_{part}") for part in ("CERT", "KEY"))
    serve(InfluxDb(), port, tls(chain, key) if chain and key else None)


main()
