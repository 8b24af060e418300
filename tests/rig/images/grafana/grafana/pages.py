"""The pages and the calls of who is signed in: enough for a browser to see who it is and where."""

import html
from urllib.parse import quote

from standin import passwords
from standin.http import Reply, in_json
from standin.shapes import may, must

from . import identity
from .accounts import orgs_of, profile, use
from .calls import done, id_of, ok, redirect, routes
from .errors import Refusal, unauthorized

MONTH = 30 * 24 * 3600


@routes("GET", "/", query=("orgId", "auth_token"), page=True)
def home(call):
    settings = call.state.settings
    if not call.identity:
        back = _cookie(settings, "redirect_to", quote(f"{settings.sub_path}/", safe=""))
        return redirect(f"{settings.sub_path}/login", [back])
    who = call.identity.user["login"] if call.identity.user else "nobody"
    org = call.state.find("orgs", id=call.identity.org_id)
    place = f"{call.identity.role} of {org['name']}" if org and call.identity.role else "in no organisation"
    return _page(f"<p>Stand-in for Grafana: {html.escape(who)} is {html.escape(place)}</p>")


@routes("GET", "/login", query=("auth_token",), page=True)
def login_page(call):
    if call.identity and call.identity.user:
        return redirect(f"{call.state.settings.sub_path}/")
    return _page("<form method=post><input name=user><input name=password type=password><button>Log in</button></form>")


@routes("POST", "/login", open=True)
def log_in(call):
    body = call.body({"user": must(str), "password": must(str), "email": may(str)})
    settings = call.state.settings
    if settings.on("AUTH_DISABLE_LOGIN_FORM"):
        raise unauthorized("Login is disabled")
    user = identity.by_password(call.state, body["user"], body["password"])
    token = call.state.begin_session(user)
    cookies = [("Set-Cookie", _cookie(settings, identity.COOKIE, token, MONTH))]
    return in_json(200, {"message": "Logged in", "redirectUrl": f"{settings.sub_path}/"}, cookies)


@routes("GET", "/logout", page=True)
def log_out(call):
    call.state.end_session(call.request.cookie(identity.COOKIE))
    settings = call.state.settings
    return redirect(f"{settings.sub_path}/login", [_cookie(settings, identity.COOKIE, "", 0)])


@routes("GET", "/api/user")
def me(call):
    user = profile(call.user, call.state.settings)
    return ok({**user, "orgId": call.identity.org_id})


@routes("GET", "/api/user/orgs")
def my_orgs(call):
    return ok(orgs_of(call.state, call.user))


@routes("POST", "/api/user/using/{org_id}")
def use_org(call, org_id):
    return use(call.state, call.user, id_of(org_id))


@routes("PUT", "/api/user/password")
def change_password(call):
    body = call.body({"oldPassword": must(str), "newPassword": must(str), "confirmNew": may(str)})
    if call.user["jwt"] and call.state.settings.on("AUTH_JWT_ENABLED"):
        raise Refusal(403, "Cannot update external User")
    if not passwords.fits(call.user["password"], body["oldPassword"]):
        raise Refusal(401, "Invalid old password")
    call.state.set_password(call.user, body["newPassword"])
    return done("User password changed")


def _cookie(settings, name, value, seconds=None):
    cookie = f"{name}={value}; Path={settings.sub_path or '/'}; HttpOnly; SameSite={settings['SECURITY_COOKIE_SAMESITE'].capitalize()}"
    if seconds is not None:
        cookie += f"; Max-Age={seconds}"
    return cookie + ("; Secure" if settings.on("SECURITY_COOKIE_SECURE") else "")


def _page(body):
    text = f"<!doctype html><title>Grafana (a stand-in)</title>{body}"
    return Reply(200, text.encode(), [("Content-Type", "text/html; charset=UTF-8"), ("Cache-Control", "no-store")])
