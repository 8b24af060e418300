#!/usr/bin/python3
"""A stand-in for Grafana 11.6: NOT Grafana. It takes what the HTTP API's documentation has of health, signing in, users, organisations and
data sources, refuses what the real one refuses, and keeps what it was told. A data source's health is asked of the InfluxDB that it leads to.
"""

import base64
import json
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request

import jwt
from grafana_state import DATA, ROOT, fault, fresh, hashed, make_user, number, setting, shown_source, shown_user
from standin import Answer, Refused, Route, Store, serve, tls

ROLES = ("Viewer", "Editor", "Admin", "None")
SOURCE = {
    "name": "text!",
    "type": "text!",
    "access": "text!",
    "uid": "text",
    "url": "text",
    "user": "text",
    "database": "text",
    "basicAuth": "truth",
    "basicAuthUser": "text",
    "withCredentials": "truth",
    "isDefault": "truth",
    "jsonData": "object",
    "secureJsonData": "object",
    "version": "number",
}


class Grafana:
    """The service: each route's handler has the state, the request, who asks, and the words of the path."""

    fault = staticmethod(fault)

    def __init__(self):
        self.store = Store(DATA, fresh)
        self.sessions, self.failed = {}, {}
        self.key = None
        if setting("AUTH_JWT_ENABLED") == "true":
            with open(setting("AUTH_JWT_KEY_FILE"), encoding="utf-8") as file:
                self.key = file.read()
        admin = {"admin": True}
        self.routes = [
            Route("GET", "/api/health", self.health, open=True),
            Route("GET", "/", self.page),
            Route("GET", "/login", lambda *_: Answer(body=b"Sign in.", kind="text/html"), open=True),
            Route("POST", "/login", self.log_in, fields={"user": "text!", "password": "text!"}, open=True),
            Route("GET", "/api/user", lambda _state, _request, who: Answer(body=shown_user(who))),
            Route("GET", "/api/user/orgs", self.my_orgs),
            Route("GET", "/api/org", self.my_org),
            Route("GET", "/api/users", self.users, query=["perpage", "page"], **admin),
            Route("GET", "/api/users/lookup", self.lookup, query=["loginOrEmail"], **admin),
            Route(
                "POST",
                "/api/admin/users",
                self.post_user,
                fields={"name": "text", "email": "text", "login": "text", "password": "text!", "OrgId": "number"},
                **admin,
            ),
            Route("PUT", "/api/admin/users/{id}/password", self.password, fields={"password": "text!"}, **admin),
            Route("POST", "/api/admin/users/{id}/disable", self.disable, **admin),
            Route("POST", "/api/admin/users/{id}/logout", self.log_out, **admin),
            Route("DELETE", "/api/admin/users/{id}", self.delete_user, **admin),
            Route("GET", "/api/orgs", self.orgs, query=["perpage", "page", "name", "query"], **admin),
            Route("POST", "/api/orgs", self.post_org, fields={"name": "text!"}, **admin),
            Route("GET", "/api/orgs/name/{name}", self.org_by_name, **admin),
            Route("DELETE", "/api/orgs/{id}", self.delete_org, **admin),
            Route("GET", "/api/orgs/{id}/users", self.members, query=["perpage", "page", "query"], **admin),
            Route(
                "POST", "/api/orgs/{id}/users", self.add_member, fields={"loginOrEmail": "text!", "role": "text!"}, **admin
            ),
            Route("PATCH", "/api/orgs/{id}/users/{user}", self.set_role, fields={"role": "text!"}, **admin),
            Route("DELETE", "/api/orgs/{id}/users/{user}", self.drop_member, **admin),
            Route("GET", "/api/datasources", self.sources),
            Route("POST", "/api/datasources", self.post_source, fields=SOURCE),
            Route("GET", "/api/datasources/uid/{uid}", self.get_source),
            Route("PUT", "/api/datasources/uid/{uid}", self.put_source, fields=SOURCE),
            Route("DELETE", "/api/datasources/uid/{uid}", self.delete_source),
            Route("GET", "/api/datasources/uid/{uid}/health", self.source_health),
        ]

    def prepare(self, request):
        """With a path in its root's address it serves below that, and sends there who asks elsewhere."""
        if setting("SERVER_SERVE_FROM_SUB_PATH") != "true" or not ROOT:
            return None
        if request.path == ROOT or request.path.startswith(ROOT + "/"):
            request.path = request.path[len(ROOT) :] or "/"
            return None
        return Answer(301, headers=[("Location", ROOT + request.path)])

    def act(self, route, request, words):
        with self.store as state:
            who = None if route.more.get("open") else self.who(state, request)
            if route.more.get("admin") and not who["isGrafanaAdmin"]:
                raise fault(403, "Permission denied")
            return route.act(state, request, who, **words)

    def who(self, state, request):
        assertion = request.headers.get(setting("AUTH_JWT_HEADER_NAME", "X-JWT-Assertion")) if self.key else None
        scheme, _, words = (request.headers.get("Authorization") or "").partition(" ")
        session = [one for one in (request.headers.get("Cookie") or "").split("; ") if one.startswith("grafana_session=")]
        if assertion:
            return self.asserted(state, assertion)
        if scheme.lower() == "basic":
            login, _, password = base64.b64decode(words).decode().partition(":")
            return self.known(state, login, password)
        if session and session[0].partition("=")[2] in self.sessions:
            return self.user(state, self.sessions[session[0].partition("=")[2]])
        if request.method == "GET" and not request.path.startswith("/api/"):
            raise Refused(302, {}, [("Location", ROOT + "/login")])
        raise fault(401, "Unauthorized")

    def asserted(self, state, assertion):
        wanted = json.loads(setting("AUTH_JWT_EXPECT_CLAIMS", "{}"))
        try:
            claims = jwt.decode(assertion, self.key, algorithms=["ES256", "RS256"], audience=wanted.get("aud"))
        except jwt.PyJWTError:
            raise fault(401, "Invalid JWT") from None
        login = claims.get(setting("AUTH_JWT_USERNAME_CLAIM", "sub"))
        for user in state["users"]:
            if user["login"] == login and not user["isDisabled"]:
                # Whoever comes so is tied to it from then on.
                user["external"] = True
                return user
        raise fault(401, "Invalid JWT")

    def known(self, state, login, password):
        past = [moment for moment in self.failed.get(login, []) if moment > time.monotonic() - 300]
        for user in state["users"]:
            if user["login"] == login and len(past) < 5:
                if not user["isDisabled"] and user["password"] == hashed(password, user["salt"]):
                    self.failed.pop(login, None)
                    return user
        self.failed[login] = [*past, time.monotonic()]
        raise fault(401, "Invalid username or password")

    def user(self, state, ident):
        for user in state["users"]:
            if user["id"] == int(ident):
                return user
        raise fault(404, "user not found")

    def org(self, state, ident):
        for org in state["orgs"]:
            if org["id"] == int(ident):
                return org
        raise fault(404, "Organization not found")

    def role(self, state, request, who):
        """The organisation that is meant, and what whoever asks may do there."""
        org = int(request.headers.get("X-Grafana-Org-Id") or who["orgId"])
        for member in state["members"]:
            if (member["orgId"], member["userId"]) == (org, who["id"]):
                return org, member["role"]
        raise fault(403, "Permission denied")

    def health(self, *_):
        return Answer(body={"database": "ok", "version": "11.6.0", "commit": "stand-in"})

    def page(self, state, request, who):
        org, role = self.role(state, request, who)
        text = f"Stand-in for Grafana: {who['login']} is {role} of {self.org(state, org)['name']}"
        return Answer(body=text.encode(), kind="text/html; charset=utf-8")

    def log_in(self, state, request, _who):
        user = self.known(state, request.json["user"], request.json["password"])
        session = secrets.token_hex(16)
        self.sessions[session] = user["id"]
        secure = "; Secure" if setting("SECURITY_COOKIE_SECURE") == "true" else ""
        cookie = f"grafana_session={session}; Path={ROOT or '/'}; HttpOnly; SameSite=Lax{secure}"
        return Answer(body={"message": "Logged in"}, headers=[("Set-Cookie", cookie)])

    def my_orgs(self, state, _request, who):
        mine = [one for one in state["members"] if one["userId"] == who["id"]]
        body = [{"orgId": one["orgId"], "name": self.org(state, one["orgId"])["name"], "role": one["role"]} for one in mine]
        return Answer(body=body)

    def my_org(self, state, request, who):
        org, _role = self.role(state, request, who)
        return Answer(body=self.org(state, org))

    @staticmethod
    def paged(request, found):
        size, page = int(request.query.get("perpage", 1000)), max(int(request.query.get("page", 1)), 1)
        return Answer(body=found[(page - 1) * size :][:size])

    def users(self, state, request, _who):
        return self.paged(request, [shown_user(user) for user in state["users"]])

    def lookup(self, state, request, _who):
        for user in state["users"]:
            if request.query.get("loginOrEmail") in (user["login"], user["email"]):
                return Answer(body=shown_user(user))
        raise fault(404, "user not found")

    def post_user(self, state, request, _who):
        body = request.json
        login = body.get("login") or body.get("email")
        if not login or len(body["password"]) < 4:
            raise fault(400, "Validation error")
        if any(login in (user["login"], user["email"]) for user in state["users"]):
            raise fault(412, f"User with username '{login}' already exists")
        org = body.get("OrgId", 1)
        if all(one["id"] != org for one in state["orgs"]):
            raise fault(400, "organization not found")
        user = make_user(state, login, body["password"], body.get("name", ""), body.get("email", ""), org)
        return Answer(body={"id": user["id"], "uid": f"u{user['id']}", "message": "User created"})

    def password(self, state, request, _who, id):
        user = self.user(state, id)
        if user["external"] and setting("AUTH_JWT_SKIP_ORG_ROLE_SYNC") != "true":
            raise fault(403, "Cannot update external user")
        user["password"] = hashed(request.json["password"], user["salt"])
        self.failed.pop(user["login"], None)
        return Answer(body={"message": "User password updated"})

    def disable(self, state, _request, _who, id):
        user = self.user(state, id)
        if user["external"]:
            raise fault(500, "Could not disable external user")
        user["isDisabled"] = True
        return Answer(body={"message": "User disabled"})

    def log_out(self, state, _request, who, id):
        user = self.user(state, id)
        if user is who:
            raise fault(400, "You cannot logout yourself")
        self.sessions = {key: ident for key, ident in self.sessions.items() if ident != user["id"]}
        return Answer(body={"message": "User logged out"})

    def delete_user(self, state, _request, _who, id):
        user = self.user(state, id)
        state["users"].remove(user)
        state["members"] = [one for one in state["members"] if one["userId"] != user["id"]]
        self.sessions = {key: ident for key, ident in self.sessions.items() if ident != user["id"]}
        return Answer(body={"message": "User deleted"})

    def orgs(self, state, request, _who):
        return self.paged(request, state["orgs"])

    def post_org(self, state, request, who):
        if any(org["name"] == request.json["name"] for org in state["orgs"]):
            raise fault(409, "Organization name taken")
        org = {"id": number(state), "name": request.json["name"]}
        state["orgs"].append(org)
        state["members"].append({"orgId": org["id"], "userId": who["id"], "role": "Admin"})
        return Answer(body={"orgId": org["id"], "message": "Organization created"})

    def org_by_name(self, state, _request, _who, name):
        for org in state["orgs"]:
            if org["name"] == name:
                return Answer(body=org | {"address": {}})
        raise fault(404, "Organization not found")

    def delete_org(self, state, _request, who, id):
        org = self.org(state, id)
        if who["orgId"] == org["id"]:
            raise fault(400, "Can not delete org for current user")
        state["orgs"].remove(org)
        for kind in ("members", "sources"):
            state[kind] = [one for one in state[kind] if one["orgId"] != org["id"]]
        return Answer(body={"message": "Organization deleted"})

    def members(self, state, _request, _who, id):
        org = self.org(state, id)
        mine = [one for one in state["members"] if one["orgId"] == org["id"]]
        return Answer(body=[one | {"login": self.user(state, one["userId"])["login"]} for one in mine])

    def add_member(self, state, request, _who, id):
        org, body = self.org(state, id), request.json
        if body["role"] not in ROLES:
            raise fault(400, "Invalid role specified")
        for user in state["users"]:
            if body["loginOrEmail"] in (user["login"], user["email"]):
                if any((one["orgId"], one["userId"]) == (org["id"], user["id"]) for one in state["members"]):
                    raise fault(409, "User is already member of this organization")
                state["members"].append({"orgId": org["id"], "userId": user["id"], "role": body["role"]})
                return Answer(body={"message": "User added to organization", "userId": user["id"]})
        raise fault(404, "User not found")

    def member(self, state, org, user):
        for one in state["members"]:
            if (one["orgId"], one["userId"]) == (int(org), int(user)):
                return one
        raise fault(404, "User not found in organization")

    def set_role(self, state, request, _who, id, user):
        if request.json["role"] not in ROLES:
            raise fault(400, "Invalid role specified")
        self.member(state, id, user)["role"] = request.json["role"]
        return Answer(body={"message": "Organization user updated"})

    def drop_member(self, state, _request, _who, id, user):
        state["members"].remove(self.member(state, id, user))
        return Answer(body={"message": "User removed from organization"})

    def administered(self, state, request, who):
        org, role = self.role(state, request, who)
        if role != "Admin":
            raise fault(403, "You'll need additional permissions to perform this action")
        return org

    def source(self, state, org, uid):
        for one in state["sources"]:
            if (one["orgId"], one["uid"]) == (org, uid):
                return one
        raise fault(404, "Data source not found")

    def sources(self, state, request, who):
        org = self.administered(state, request, who)
        return Answer(body=[shown_source(one) for one in state["sources"] if one["orgId"] == org])

    def post_source(self, state, request, who):
        org, body = self.administered(state, request, who), request.json
        for one in state["sources"]:
            if one["orgId"] == org and (one["name"] == body["name"] or one["uid"] == body.get("uid")):
                raise fault(409, "data source with the same name or uid already exists")
        source = {"uid": secrets.token_hex(7), "jsonData": {}} | body | {"id": number(state), "orgId": org, "version": 1}
        state["sources"].append(source)
        return Answer(body={"id": source["id"], "message": "Datasource added", "datasource": shown_source(source)})

    def get_source(self, state, request, who, uid):
        org = self.administered(state, request, who)
        return Answer(body=shown_source(self.source(state, org, uid)))

    def put_source(self, state, request, who, uid):
        source = self.source(state, self.administered(state, request, who), uid)
        kept = source.get("secureJsonData", {})
        source.update(request.json)
        source["secureJsonData"] = kept | request.json.get("secureJsonData", {})
        source["version"] += 1
        return Answer(body={"message": "Datasource updated", "datasource": shown_source(source)})

    def delete_source(self, state, request, who, uid):
        state["sources"].remove(self.source(state, self.administered(state, request, who), uid))
        return Answer(body={"message": "Data source deleted"})

    def source_health(self, state, request, who, uid):
        org, _role = self.role(state, request, who)
        source = self.source(state, org, uid)
        data, secure = source["jsonData"], source.get("secureJsonData", {})
        context = ssl.create_default_context(cadata=secure.get("tlsCACert") if data.get("tlsAuthWithCACert") else None)
        address = f"{source['url']}/api/v2/query?org={data.get('organization', '')}"
        question = urllib.request.Request(
            address, b"buckets()", {"Authorization": f"Token {secure.get('token', '')}", "Content-Type": "application/vnd.flux"}
        )
        try:
            with urllib.request.urlopen(question, timeout=10, context=context) as answer:
                rows = [line for line in answer.read().decode().split("\r\n") if line.startswith(",,")]
        except (urllib.error.URLError, OSError) as error:
            return Answer(400, {"status": "ERROR", "message": f"error getting flux query buckets: {error}"})
        return Answer(body={"status": "OK", "message": f"datasource is working. {len(rows)} buckets found"})


def reset_password():
    """`grafana cli admin reset-admin-password --password-from-stdin`."""
    if sys.argv[1:] != ["cli", "admin", "reset-admin-password", "--password-from-stdin"]:
        sys.exit(f"this stand-in does not know {sys.argv[1:]}")
    with Store(DATA, fresh) as state:
        admin = state["users"][0]
        admin["password"] = hashed(sys.stdin.readline().rstrip("\n"), admin["salt"])
    print("Admin password changed successfully ✔")


def main():
    pair = None
    if setting("SERVER_PROTOCOL") == "https":
        pair = tls(setting("SERVER_CERT_FILE"), setting("SERVER_CERT_KEY"))
    serve(Grafana(), int(setting("SERVER_HTTP_PORT", "3000")), pair)


if len(sys.argv) > 1:
    reset_password()
else:
    main()
