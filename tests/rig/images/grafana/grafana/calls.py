"""One call: what is asked, by whom, and what it may see; and the table of the calls there are."""

from dataclasses import dataclass

from standin.http import Reply, in_json
from standin.routes import Routes
from standin.shapes import Misshapen, parse

from .errors import Refusal, unauthorized

routes = Routes()


@dataclass
class Call:
    """`identity` is None for who is not signed in."""

    request: object
    state: object
    service: object
    identity: object

    @property
    def user(self):
        """The account that asks; nobody without one gets further."""
        if not (self.identity and self.identity.user):
            raise unauthorized()
        return self.identity.user

    def body(self, table):
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise Refusal(400, f"bad request data: the content type is {kind!r}, not application/json")
        try:
            return parse(self.request.body, table)
        except Misshapen as error:
            raise Refusal(400, f"bad request data: {error}") from error

    def number(self, name, default):
        try:
            return int(self.request.query.get(name) or default)
        except ValueError:
            raise Refusal(400, f"{name} must be a number, not {self.request.query[name]!r}") from None


def id_of(written, name="id"):
    if not written.isdigit():
        raise Refusal(400, f"{name} is invalid")
    return int(written)


def ok(value):
    return in_json(200, value)


def done(message, **more):
    return in_json(200, {"message": message, **more})


def redirect(to, cookies=()):
    return Reply(302, headers=[("Location", to), *[("Set-Cookie", cookie) for cookie in cookies]])
