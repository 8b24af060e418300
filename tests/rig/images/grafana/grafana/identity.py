"""Who asks: by a signed token, by user and password, by a session's cookie, or nobody. The first that is tried decides."""

from dataclasses import dataclass

from standin import passwords

from . import jwts
from .errors import Refusal, forbidden, unauthorized
from .state import now

COOKIE = "grafana_session"
RANKS = {None: -1, "None": 0, "Viewer": 1, "Editor": 2, "Admin": 3}
PASSWORD_WRONG = ("Invalid username or password", "password-auth.failed")


@dataclass
class Identity:
    """`user` is None for who is anonymous; `role` is the one in the organisation of the request, None outside of it."""

    user: dict
    org_id: int
    role: str

    def need(self, role, action):
        if RANKS[self.role] < RANKS[role]:
            raise forbidden(action)

    def need_server_admin(self, action):
        if not (self.user and self.user["isAdmin"]):
            raise forbidden(action)


def find(request, state, verifier):
    """The identity, or None; refuses what is given and does not hold."""
    settings = state.settings
    token = _token(request, settings)
    if verifier and token and jwts.subject(token):
        return _of(_by_token(token, state, verifier), request, state)
    pair = request.basic() if settings.on("AUTH_BASIC_ENABLED") else None
    if pair:
        return _of(by_password(state, *pair), request, state)
    if request.cookie(COOKIE):
        user = state.session_user(request.cookie(COOKIE))
        if not user or user["isDisabled"]:
            raise unauthorized()
        return _of(user, request, state)
    if settings.on("AUTH_ANONYMOUS_ENABLED"):
        org = state.find("orgs", name=settings["AUTH_ANONYMOUS_ORG_NAME"])
        if org:
            return Identity(None, org["id"], settings["AUTH_ANONYMOUS_ORG_ROLE"])
    return None


def by_password(state, name, password):
    """The account whose password this is."""
    user = state.user_named(name)
    if not user or user["isDisabled"] or not passwords.fits(user["password"], password):
        raise unauthorized(*PASSWORD_WRONG)
    return user


def _of(user, request, state):
    user["seen"] = now()
    wanted = request.headers.get("X-Grafana-Org-Id") or request.query.get("orgId")
    try:
        org_id = int(wanted) if wanted else user["orgId"]
    except ValueError:
        raise Refusal(400, f"X-Grafana-Org-Id must be a number, not {wanted!r}") from None
    return Identity(user, org_id, state.role(user, org_id))


def _token(request, settings):
    header = settings["AUTH_JWT_HEADER_NAME"]
    token = request.headers.get(header) if header else None
    if header and not token and settings.on("AUTH_JWT_URL_LOGIN"):
        token = request.query.get("auth_token")
    return (token or "").removeprefix("Bearer ").replace("=", "")


def _by_token(token, state, verifier):
    """The account of a signed token, made if the settings say so. It counts as an external one from then on."""
    settings = state.settings
    try:
        claims = verifier.verify(token)
    except jwts.Invalid as error:
        print(f"a token does not verify: {error}", flush=True)
        raise unauthorized("Failed to verify JWT", "jwt.invalid") from error
    login, email = _claim(claims, settings["AUTH_JWT_USERNAME_CLAIM"]), _claim(claims, settings["AUTH_JWT_EMAIL_CLAIM"])
    if not (login or email):
        raise unauthorized("Missing mandatory claim in JWT", "jwt.missing_claim")
    user = state.find("users", jwt=claims["sub"]) or state.user_named(email) or state.user_named(login)
    if not user:
        if not settings.on("AUTH_JWT_AUTO_SIGN_UP"):
            raise unauthorized("Sign up is disabled", "user.sync.signup-disabled")
        user = state.add_user(login, email, _claim(claims, "name"))
    user["jwt"] = claims["sub"]
    user["login"] = (login or user["login"]).lower()
    user["email"] = (email or user["email"]).lower()
    user["name"] = _claim(claims, "name") or user["name"]
    if user["isDisabled"]:
        raise unauthorized("User is disabled", "user.sync.user-disabled")
    if not settings.on("AUTH_JWT_SKIP_ORG_ROLE_SYNC"):
        _sync_roles(user, state)
    return user


def _sync_roles(user, state):
    """A token without a role gives the settings' role in the settings' organisation, and takes every other one."""
    org_id = int(state.settings["USERS_AUTO_ASSIGN_ORG_ID"]) if state.settings.on("USERS_AUTO_ASSIGN_ORG") else 1
    for member in [one for one in state.all("members") if one["userId"] == user["id"] and one["orgId"] != org_id]:
        if not state.is_last_admin(user, member["orgId"]):
            state.remove_member(user, member["orgId"])
    member = state.find("members", orgId=org_id, userId=user["id"])
    if member:
        member["role"] = state.settings["USERS_AUTO_ASSIGN_ORG_ROLE"]
    elif state.find("orgs", id=org_id):
        state.add_member(user, org_id, state.settings["USERS_AUTO_ASSIGN_ORG_ROLE"])
    user["orgId"] = org_id


def _claim(claims, name):
    value = claims.get(name) if name else None
    return value if isinstance(value, str) else ""
