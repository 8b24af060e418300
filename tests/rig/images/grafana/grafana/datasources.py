"""The calls about data sources, each of one organisation. What is secret in them never comes out again."""

import json
import re
import secrets
from urllib.parse import urlsplit

from standin.shapes import Map, Misshapen, check, may, must

from . import influxdb
from .calls import done, ok, routes
from .errors import Refusal

FIELDS = {
    "name": must(str), "type": must(str), "access": must(str), "url": may(str), "user": may(str), "database": may(str),
    "basicAuth": may(bool), "basicAuthUser": may(str), "withCredentials": may(bool), "isDefault": may(bool), "jsonData": may(dict),
    "secureJsonData": may(Map(str)), "uid": may(str), "version": may(int),
}
# What the API shows and takes back unread, so that a data source can be read, changed and sent again.
UNREAD = {"id": may(int), "orgId": may(int), "typeName": may(str), "typeLogoUrl": may(str), "readOnly": may(bool),
          "secureJsonFields": may(dict), "accessControl": may(dict), "apiVersion": may(str)}
PLAIN = {"url": "", "user": "", "database": "", "basicAuth": False, "basicAuthUser": "", "withCredentials": False, "isDefault": False}
ACCESS = ("proxy", "direct")


@routes("GET", "/api/datasources")
def list_datasources(call):
    # Viewers may, in the edition that is free.
    call.identity.need("Viewer", "datasources:read")
    found = [one for one in call.state.all("datasources") if one["orgId"] == call.identity.org_id]
    listed = [{name: value for name, value in _shown(one).items() if name not in ("secureJsonFields", "version", "withCredentials")}
              for one in sorted(found, key=lambda one: one["name"].lower())]
    return ok([{**one, "typeName": one["type"]} for one in listed])


@routes("POST", "/api/datasources")
def add_datasource(call):
    body = _checked(call, FIELDS)
    call.identity.need("Admin", "datasources:create")
    state, org_id = call.state, call.identity.org_id
    uid = body.get("uid") or secrets.token_hex(7)
    if state.find("datasources", orgId=org_id, name=body["name"]):
        raise Refusal(409, "data source with the same name already exists")
    if state.find("datasources", orgId=org_id, uid=uid):
        raise Refusal(409, "data source with the same uid already exists")
    made = {"id": state.documents.number("datasource"), "uid": uid, "orgId": org_id, "version": 1, "secure": {}}
    state.all("datasources").append(made)
    _fill(made, body, state)
    return done("Datasource added", id=made["id"], name=made["name"], datasource=_shown(made))


@routes("GET", "/api/datasources/uid/{uid}")
def get_datasource(call, uid):
    call.identity.need("Viewer", "datasources:read")
    return ok(_shown(_found(call, uid)))


@routes("GET", "/api/datasources/name/{name}")
def get_datasource_named(call, name):
    call.identity.need("Viewer", "datasources:read")
    one = call.state.find("datasources", orgId=call.identity.org_id, name=name)
    if not one:
        raise Refusal(404, "Data source not found")
    return ok(_shown(one))


@routes("PUT", "/api/datasources/uid/{uid}")
def change_datasource(call, uid):
    body = _checked(call, FIELDS | UNREAD)
    call.identity.need("Admin", "datasources:write")
    one, state = _found(call, uid), call.state
    other = state.find("datasources", orgId=one["orgId"], name=body["name"])
    if other and other["id"] != one["id"]:
        raise Refusal(409, "Failed to update datasource: data source with the same name already exists")
    new_uid = body.get("uid") or uid
    taken = state.find("datasources", orgId=one["orgId"], uid=new_uid)
    if taken and taken["id"] != one["id"]:
        raise Refusal(500, "Failed to update datasource")
    if body.get("version") and body["version"] < one["version"]:
        raise Refusal(409, "Datasource has already been updated by someone else. Please reload and try again")
    one["uid"] = new_uid
    one["version"] += 1
    _fill(one, body, state)
    return done("Datasource updated", id=one["id"], name=one["name"], datasource=_shown(one))


@routes("DELETE", "/api/datasources/uid/{uid}")
def drop_datasource(call, uid):
    call.identity.need("Admin", "datasources:delete")
    one = _found(call, uid)
    call.state.keep("datasources", lambda other: other["id"] != one["id"])
    return done("Data source deleted", id=one["id"])


@routes("GET", "/api/datasources/uid/{uid}/health")
def health(call, uid):
    """Answered once the state is free for others, as it asks another server."""
    call.identity.need("Viewer", "datasources:query")
    one = json.loads(json.dumps(_found(call, uid)))
    return lambda: influxdb.health(one)


def _found(call, uid):
    one = call.state.find("datasources", orgId=call.identity.org_id, uid=uid)
    if not one:
        raise Refusal(404, "Data source not found")
    return one


def _checked(call, table):
    body = call.body(table)
    if body["access"] not in ACCESS:
        raise Refusal(400, f"bad request data: access is proxy or direct, not {body['access']!r}")
    if body.get("uid") and not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", body["uid"]):
        raise Refusal(400, f"bad request data: uid {body['uid']!r} is not of 1 to 40 letters, digits, - and _")
    if body.get("url") and not urlsplit(body["url"]).hostname:
        raise Refusal(400, "Validation error, invalid URL")
    if body["type"] == "influxdb":
        try:
            # A mark of whoever made it is nobody's misspelling.
            marked = {name: value for name, value in (body.get("jsonData") or {}).items() if not name.startswith("dtaas")}
            check(marked, influxdb.JSON_DATA, "jsonData")
            check(body.get("secureJsonData") or {}, influxdb.SECURE_JSON_DATA, "secureJsonData")
        except Misshapen as error:
            raise Refusal(400, f"bad request data: {error}") from error
    return body


def _fill(one, body, state):
    """What is left out of the secret part stays as it was."""
    one |= {"name": body["name"], "type": body["type"], "access": body["access"], "jsonData": body.get("jsonData") or {}}
    one |= {name: body.get(name) or empty for name, empty in PLAIN.items()}
    one["secure"] |= body.get("secureJsonData") or {}
    if one["isDefault"]:
        for other in state.all("datasources"):
            if other["orgId"] == one["orgId"] and other["id"] != one["id"]:
                other["isDefault"] = False


def _shown(one):
    fields = {name: value for name, value in one.items() if name != "secure"}
    secure = {name: True for name, value in one["secure"].items() if value}
    return {**fields, "typeLogoUrl": "", "readOnly": False, "secureJsonFields": secure}
