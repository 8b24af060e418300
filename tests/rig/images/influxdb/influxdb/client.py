"""`influx`: as much of the command-line client as the entrypoint uses, `ping` and `setup`."""

import argparse
import json
import os
import re
import sys
import urllib.error
import urllib.request

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}


def main(arguments):
    host = os.environ.get("INFLUX_HOST", "http://localhost:8086")
    options = _options(arguments)
    try:
        return options.command(host, options)
    except urllib.error.HTTPError as error:
        print(f"Error: {json.load(error).get('message')}", file=sys.stderr)
    except urllib.error.URLError as error:
        print(f"Error: {error.reason}", file=sys.stderr)
    return 1


def _options(arguments):
    parser = argparse.ArgumentParser(prog="influx", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("ping").set_defaults(command=_ping)
    setup = commands.add_parser("setup")
    setup.set_defaults(command=_setup)
    setup.add_argument("--force", action="store_true", required=True)
    setup.add_argument("--retention", default="0")
    setup.add_argument("--token")
    for name in ("username", "password", "org", "bucket", "name"):
        setup.add_argument(f"--{name}", required=True)
    return parser.parse_args(arguments)


def _ping(host, _):
    with urllib.request.urlopen(f"{host}/health", timeout=5):
        print("OK")
    return 0


def _setup(host, options):
    body = {"username": options.username, "password": options.password, "org": options.org, "bucket": options.bucket,
            "retentionPeriodSeconds": _seconds(options.retention)}
    if options.token:
        body["token"] = options.token
    request = urllib.request.Request(f"{host}/api/v2/setup", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        token = json.load(reply)["auth"]["token"]
    path = os.environ.get("INFLUX_CONFIGS_PATH", os.path.expanduser("~/.influxdbv2/configs"))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as configs:
        configs.write(f'[{options.name}]\n  url = "{host}"\n  token = "{token}"\n  org = "{options.org}"\n  active = true\n')
    return 0


def _seconds(written):
    if not re.fullmatch(r"(?:\d+[smhdw])+|0", written):
        raise SystemExit(f"Error: the retention {written!r} is no time, such as 30d")
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", written))
