"""What a data source of InfluxDB is made of, and whether it works: it really asks the server, with the token that is kept."""

import csv
import io
import json
import ssl
import urllib.error
import urllib.request
from urllib.parse import quote

from standin.http import in_json
from standin.shapes import may

JSON_DATA = {
    "version": may(str), "organization": may(str), "defaultBucket": may(str), "dbName": may(str), "httpMode": may(str),
    "timeInterval": may(str), "maxSeries": may(int), "timeout": may(int), "tlsAuth": may(bool), "tlsAuthWithCACert": may(bool),
    "tlsSkipVerify": may(bool), "serverName": may(str), "keepCookies": may([str]), "product": may(str),
}
SECURE_JSON_DATA = {name: may(str) for name in ("token", "password", "basicAuthPassword", "tlsCACert", "tlsClientCert", "tlsClientKey")}


class Broken(Exception):
    """Why it does not work."""


def health(source):
    """The reply to the question for a data source's health."""
    try:
        if source["type"] != "influxdb" or source["jsonData"].get("version") != "Flux":
            raise Broken("the stand-in asks only data sources of type influxdb, jsonData.version Flux")
        buckets = _buckets(source)
    except Broken as error:
        return in_json(400, {"status": "ERROR", "message": str(error)})
    return in_json(200, {"status": "OK", "message": f"datasource is working. {buckets} buckets found"})


def _buckets(source):
    """How many buckets the token sees."""
    organization, token = source["jsonData"].get("organization"), source["secure"].get("token")
    if not organization or not token:
        raise Broken("error performing flux query: an organization and a token are needed")
    url = f"{source['url'].rstrip('/')}/api/v2/query?org={quote(organization)}"
    body = json.dumps({"query": "buckets()", "type": "flux", "dialect": {"annotations": ["datatype", "group", "default"], "header": True}})
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "application/csv"}
    handlers = [urllib.request.ProxyHandler({})]
    if source["url"].startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=_context(source)))
    try:
        request = urllib.request.Request(url, body.encode(), headers)
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as reply:
            text = reply.read().decode()
    except urllib.error.HTTPError as error:
        raise Broken(f"error reading buckets: {error.code} {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Broken(f"error performing flux query: {getattr(error, 'reason', error)}") from error
    rows = [row for row in csv.reader(io.StringIO(text)) if row and not row[0].startswith("#")]
    return max(len(rows) - 1, 0)


def _context(source):
    options, secure = source["jsonData"], source["secure"]
    # With a certificate authority of its own it trusts that one alone.
    authority = secure.get("tlsCACert") if options.get("tlsAuthWithCACert") else None
    try:
        context = ssl.create_default_context(cadata=authority or None)
    except ssl.SSLError as error:
        raise Broken(f"error performing flux query: failed to parse TLS CA PEM certificate: {error}") from error
    if options.get("tlsSkipVerify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
