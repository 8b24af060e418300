"""`grafana`: the server, and the command line that resets a password in its database."""

import argparse
import os
import sys

from standin.http import Certificate, Server, serve
from standin.store import Locked, Store

from .errors import Refusal
from .service import VERSION, Service
from .settings import Settings, Wrong
from .state import State


def main(arguments):
    try:
        if arguments[:1] == ["server"]:
            return _serve(Settings())
        if arguments[:1] == ["cli"]:
            return _cli(Settings(), arguments[1:])
    except (Wrong, Locked) as error:
        print(f"grafana: {error}", file=sys.stderr)
        return 1
    if arguments[:1] == ["--version"]:
        print(f"grafana version {VERSION} (a stand-in)")
        return 0
    print("grafana: server, or cli admin reset-admin-password", file=sys.stderr)
    return 1


def _serve(settings):
    try:
        service = Service(Store(settings.database), settings)
        certificate = None
        if settings["SERVER_PROTOCOL"] == "https":
            watched = settings["SERVER_CERTS_WATCH_INTERVAL"] not in ("0", "0s")
            certificate = Certificate(settings["SERVER_CERT_FILE"], settings["SERVER_CERT_KEY"], watched)
    except OSError as error:
        raise Wrong(str(error)) from error
    server = Server(service, settings["SERVER_HTTP_ADDR"], int(settings["SERVER_HTTP_PORT"]), certificate)
    print(f"grafana: HTTP Server Listen protocol={settings['SERVER_PROTOCOL']} port={settings['SERVER_HTTP_PORT']}", flush=True)
    serve(server)
    return 0


def _cli(settings, arguments):
    parser = argparse.ArgumentParser(prog="grafana cli", allow_abbrev=False)
    parser.add_argument("--homepath")
    parser.add_argument("--config")
    admin = parser.add_subparsers(required=True).add_parser("admin").add_subparsers(required=True)
    reset = admin.add_parser("reset-admin-password")
    reset.add_argument("--user-id", type=int, default=1)
    reset.add_argument("--password-from-stdin", action="store_true")
    reset.add_argument("password", nargs="?")
    options = parser.parse_args(arguments)
    password = sys.stdin.readline().rstrip("\n") if options.password_from_stdin else options.password or ""
    if not os.path.exists(settings.database):
        raise Wrong(f"{settings.database}: no such database")
    with Store(settings.database).transaction() as documents:
        state = State(documents, settings)
        try:
            state.set_password(state.user(options.user_id), password)
        except Refusal as error:
            raise Wrong(error.message.lower()) from error
    print("\nAdmin password changed successfully ✔")
    return 0
