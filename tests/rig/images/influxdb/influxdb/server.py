"""`influxd`: the server, and the commands that get at its files while it is stopped."""

import argparse
import os
import sys

from standin.http import Certificate, Server, serve
from standin.store import Locked, Store

from . import recovery
from .points import Points
from .service import VERSION, Service

DATA = "/var/lib/influxdb2"


def main(arguments):
    if arguments[:1] == ["version"]:
        print(f"InfluxDB {VERSION} (a stand-in)")
        return 0
    if arguments[:1] == ["recovery"]:
        return recovery.main(arguments[1:])
    options = _options(arguments[1:] if arguments[:1] == ["run"] else arguments)
    configuration = os.environ.get("INFLUXD_CONFIG_PATH")
    if configuration and os.path.exists(configuration):
        print(f"influxd: {configuration}: the stand-in reads no configuration file, only options and INFLUXD_*", file=sys.stderr)
        return 1
    os.makedirs(os.path.dirname(options.bolt_path) or ".", exist_ok=True)
    os.makedirs(options.engine_path, exist_ok=True)
    try:
        store = Store(options.bolt_path, alone=True)
    except Locked as error:
        print(f"influxd: {error}", file=sys.stderr)
        return 1
    service = Service(store, Points(os.path.join(options.engine_path, "points.sqlite")))
    host, _, port = options.http_bind_address.rpartition(":")
    certificate = None
    if options.tls_cert and options.tls_key:
        # Read now and never again, as the real server does.
        certificate = Certificate(options.tls_cert, options.tls_key)
    server = Server(service, host.strip("[]"), int(port), certificate)
    print(f"influxd: listening on {options.http_bind_address} by {'https' if certificate else 'http'}", file=sys.stderr, flush=True)
    serve(server)
    return 0


def _options(arguments):
    parser = argparse.ArgumentParser(prog="influxd", allow_abbrev=False)
    defaults = {"bolt-path": f"{DATA}/influxd.bolt", "engine-path": f"{DATA}/engine", "http-bind-address": ":8086", "tls-cert": "",
                "tls-key": "", "log-level": "info"}
    for name, default in defaults.items():
        variable = f"INFLUXD_{name.replace('-', '_').upper()}"
        parser.add_argument(f"--{name}", default=os.environ.get(variable) or default)
    parser.add_argument("--reporting-disabled", action="store_true")
    return parser.parse_args(arguments)
