"""Settings from the environment, `GF_<SECTION>_<KEY>`. Stricter than the real server in one thing: a variable that names no setting is
refused, where it would be passed over, as it is most likely misspelt."""

import json
import os
import re
from urllib.parse import urlsplit

DEFAULTS = {
    "GF_PATHS_DATA": "/var/lib/grafana",
    "GF_SERVER_PROTOCOL": "http",
    "GF_SERVER_HTTP_ADDR": "",
    "GF_SERVER_HTTP_PORT": "3000",
    "GF_SERVER_DOMAIN": "localhost",
    "GF_SERVER_ROOT_URL": "",
    "GF_SERVER_SERVE_FROM_SUB_PATH": "false",
    "GF_SERVER_CERT_FILE": "",
    "GF_SERVER_CERT_KEY": "",
    "GF_SERVER_CERTS_WATCH_INTERVAL": "0",
    "GF_SECURITY_ADMIN_USER": "admin",
    "GF_SECURITY_ADMIN_PASSWORD": "admin",
    "GF_SECURITY_ADMIN_EMAIL": "admin@localhost",
    "GF_SECURITY_COOKIE_SECURE": "false",
    "GF_SECURITY_COOKIE_SAMESITE": "lax",
    "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "false",
    "GF_USERS_ALLOW_SIGN_UP": "false",
    "GF_USERS_ALLOW_ORG_CREATE": "false",
    "GF_USERS_AUTO_ASSIGN_ORG": "true",
    "GF_USERS_AUTO_ASSIGN_ORG_ID": "1",
    "GF_USERS_AUTO_ASSIGN_ORG_ROLE": "Viewer",
    "GF_AUTH_ANONYMOUS_ENABLED": "false",
    "GF_AUTH_ANONYMOUS_ORG_NAME": "Main Org.",
    "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
    "GF_AUTH_BASIC_ENABLED": "true",
    "GF_AUTH_DISABLE_LOGIN_FORM": "false",
    "GF_AUTH_JWT_ENABLED": "false",
    "GF_AUTH_JWT_HEADER_NAME": "",
    "GF_AUTH_JWT_USERNAME_CLAIM": "",
    "GF_AUTH_JWT_EMAIL_CLAIM": "",
    "GF_AUTH_JWT_KEY_FILE": "",
    "GF_AUTH_JWT_KEY_ID": "",
    "GF_AUTH_JWT_JWK_SET_FILE": "",
    "GF_AUTH_JWT_EXPECT_CLAIMS": "{}",
    "GF_AUTH_JWT_AUTO_SIGN_UP": "false",
    "GF_AUTH_JWT_SKIP_ORG_ROLE_SYNC": "false",
    "GF_AUTH_JWT_URL_LOGIN": "false",
}
# Settings of the real server that change nothing here.
PASSED_OVER = re.compile(
    r"GF_(ALERTING|ANALYTICS|DASHBOARDS|EXPLORE|FEATURE_TOGGLES|GRAFANA_NET|LOG|LOG_CONSOLE|METRICS|NEWS|PATHS|PLUGINS|"
    r"PUBLIC_DASHBOARDS|REPORTING|SNAPSHOTS|UNIFIED_ALERTING|UNIFIED_STORAGE)_\w+"
    r"|GF_SECURITY_(ALLOW_EMBEDDING|DISABLE_GRAVATAR|SECRET_KEY|STRICT_TRANSPORT_SECURITY\w*)"
    r"|GF_USERS_(DEFAULT_THEME|HOME_PAGE|VIEWERS_CAN_EDIT|DEFAULT_LANGUAGE)"
    r"|GF_SERVER_(ENFORCE_DOMAIN|ENABLE_GZIP|ROUTER_LOGGING|MIN_TLS_VERSION)"
    r"|GF_AUTH_(DISABLE_SIGNOUT_MENU|SIGNOUT_REDIRECT_URL|LOGIN_COOKIE_NAME|LOGIN_MAXIMUM_\w+|TOKEN_ROTATION_INTERVAL_MINUTES)"
    r"|GF_DATABASE_WAL")
ROLES = ("None", "Viewer", "Editor", "Admin")


class Wrong(Exception):
    """A setting with which the server does not start."""


class Settings:
    def __init__(self, environment=os.environ):
        for name in environment:
            # `docker exec` still has those that run.sh has read.
            plain = name.removesuffix("__FILE")
            if name.startswith("GF_") and plain not in DEFAULTS and not PASSED_OVER.fullmatch(plain):
                raise Wrong(f"{name}: the stand-in knows no such setting")
        self.values = {name: environment.get(name) or default for name, default in DEFAULTS.items()}
        self.sub_path = urlsplit(self["SERVER_ROOT_URL"]).path.rstrip("/")
        self.serves_sub_path = bool(self.sub_path) and self.on("SERVER_SERVE_FROM_SUB_PATH")
        if self["SERVER_PROTOCOL"] not in ("http", "https"):
            raise Wrong(f"GF_SERVER_PROTOCOL: {self['SERVER_PROTOCOL']!r} is neither http nor https")
        if self["SERVER_PROTOCOL"] == "https" and not (self["SERVER_CERT_FILE"] and self["SERVER_CERT_KEY"]):
            raise Wrong("GF_SERVER_CERT_FILE and GF_SERVER_CERT_KEY cannot be empty when using HTTPS")
        if self["USERS_AUTO_ASSIGN_ORG_ROLE"] not in ROLES:
            raise Wrong(f"GF_USERS_AUTO_ASSIGN_ORG_ROLE: {self['USERS_AUTO_ASSIGN_ORG_ROLE']!r} is none of {', '.join(ROLES)}")
        try:
            self.expected_claims = json.loads(self["AUTH_JWT_EXPECT_CLAIMS"])
        except ValueError as error:
            raise Wrong(f"GF_AUTH_JWT_EXPECT_CLAIMS is no JSON: {error}") from error

    def __getitem__(self, name):
        return self.values[f"GF_{name}"]

    def on(self, name):
        value = self[name].lower()
        if value not in ("true", "false", "1", "0"):
            raise Wrong(f"GF_{name}: {self[name]!r} is neither true nor false")
        return value in ("true", "1")

    @property
    def database(self):
        return os.path.join(self["PATHS_DATA"], "grafana.db")

    @property
    def url(self):
        """The address that users see, without a slash at its end."""
        default = f"{self['SERVER_PROTOCOL']}://{self['SERVER_DOMAIN']}:{self['SERVER_HTTP_PORT']}"
        return (self["SERVER_ROOT_URL"] or default).rstrip("/")
