"""What the Grafana stand-in is set to, and what it keeps."""

import hashlib
import os
import secrets
from urllib.parse import urlsplit

from standin import Refused


def setting(name, default=""):
    """As the image's run.sh has it: what is in a file counts before what is said."""
    path = os.environ.get(f"GF_{name}__FILE")
    if path:
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\n")
    return os.environ.get(f"GF_{name}", default)


DATA = os.path.join(setting("PATHS_DATA", "/var/lib/grafana"), "state.json")
ROOT = urlsplit(setting("SERVER_ROOT_URL", "http://localhost:3000/")).path.rstrip("/")


def fault(status, text):
    return Refused(status, {"message": text})


def hashed(password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 10000, 50).hex()


def fresh():
    state = {"next": 1, "users": [], "orgs": [{"id": 1, "name": "Main Org."}], "members": [], "sources": []}
    admin = make_user(state, setting("SECURITY_ADMIN_USER", "admin"), setting("SECURITY_ADMIN_PASSWORD", "admin"), "", "", 1)
    admin["isGrafanaAdmin"] = True
    state["members"][0]["role"] = "Admin"
    state["next"] = 2
    return state


def number(state):
    state["next"] += 1
    return state["next"]


def make_user(state, login, password, name, email, org):
    salt = secrets.token_hex(5)
    user = {
        "id": number(state) if state["users"] else 1,
        "login": login,
        "name": name,
        "email": email,
        "salt": salt,
        "password": hashed(password, salt),
        "isGrafanaAdmin": False,
        "isDisabled": False,
        "orgId": org,
        "external": False,
    }
    state["users"].append(user)
    state["members"].append({"orgId": org, "userId": user["id"], "role": "Viewer"})
    return user


def shown_user(user):
    return {key: user[key] for key in ("id", "login", "name", "email", "isDisabled", "orgId")} | {
        "isAdmin": user["isGrafanaAdmin"],
        "isGrafanaAdmin": user["isGrafanaAdmin"],
        "isExternal": user["external"],
        "authLabels": ["JWT"] if user["external"] else [],
    }


def shown_source(source):
    secure = {key: True for key in source.get("secureJsonData", {})}
    return {key: value for key, value in source.items() if key != "secureJsonData"} | {"secureJsonFields": secure}
