"""`influxd recovery`: at the files, for who lost the operator's token. The server must not run, as it keeps them to itself."""

import argparse
import json
import os
import sys

from standin.store import Locked, Store

from .errors import Refusal
from .rights import everything
from .state import State

HEADERS = ("ID", "User Name", "User ID", "Description", "Token", "Permissions")


def main(arguments):
    options = _options(arguments)
    if not os.path.exists(options.bolt_path):
        print(f"Error: {options.bolt_path}: no such file", file=sys.stderr)
        return 1
    try:
        store = Store(options.bolt_path, alone=True)
        with store.transaction() as documents:
            options.command(State(documents), options)
    except (Locked, Refusal) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _options(arguments):
    parser = argparse.ArgumentParser(prog="influxd recovery", allow_abbrev=False)
    subjects = parser.add_subparsers(required=True)
    auth = subjects.add_parser("auth").add_subparsers(required=True)
    user = subjects.add_parser("user").add_subparsers(required=True)
    listing, making, users = auth.add_parser("list"), auth.add_parser("create-operator"), user.add_parser("list")
    listing.set_defaults(command=_list)
    making.set_defaults(command=_create_operator)
    making.add_argument("--username", required=True)
    making.add_argument("--org", required=True)
    users.set_defaults(command=_list_users)
    for command in (listing, making, users):
        default = os.path.join(os.environ.get("HOME", "/"), ".influxdbv2", "influxd.bolt")
        command.add_argument("--bolt-path", default=default)
    return parser.parse_args(arguments)


def _create_operator(state, options):
    user = state.find("users", name=options.username)
    if not user:
        raise Refusal("not found", f'could not find user "{options.username}": user not found')
    org = state.org_named(options.org)
    state.add_authorization(user, org, everything(), f"{options.username}'s Recovery Token")
    _list(state, options)


def _list(state, _):
    print("\t".join(HEADERS))
    for one in state.all("authorizations"):
        user = state.find("users", id=one["userID"])
        row = (one["id"], user["name"] if user else "", one["userID"], one["description"], one["token"], json.dumps(one["permissions"]))
        print("\t".join(row))


def _list_users(state, _):
    print("ID\tName")
    for user in state.all("users"):
        print(f"{user['id']}\t{user['name']}")
