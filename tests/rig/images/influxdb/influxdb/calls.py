"""One call of the API: what is asked, by whom, and what it may see; and the table of the calls there are."""

from dataclasses import dataclass

from standin.http import Reply, in_json
from standin.routes import Routes
from standin.shapes import Misshapen, parse

from .errors import invalid
from .state import check_id

routes = Routes()
PAGED = ("limit", "offset", "after", "descending", "sortBy")
MOST_A_PAGE, A_PAGE = 100, 20


@dataclass
class Call:
    """`caller` is None where nobody need say who he is."""

    request: object
    state: object
    service: object
    caller: object

    def body(self, table):
        try:
            return parse(self.request.body, table)
        except Misshapen as error:
            raise invalid(str(error)) from error

    def text(self, name):
        """A query parameter that is there and not empty, or None."""
        return self.request.query.get(name) or None

    def id(self, name):
        value = self.text(name)
        return check_id(value) if value else None

    def org(self):
        """The organisation of the query parameters, by id or by name."""
        name, id = self.text("org"), self.id("orgID")
        if id:
            return self.state.org(id)
        if not name:
            raise invalid("Please provide either orgID or org")
        # A name may also be given where an id is.
        return self.state.find("orgs", id=name) or self.state.org_named(name)

    def page(self, found):
        """The part of the list that is asked for."""
        limit, offset = self._number("limit", A_PAGE), self._number("offset", 0)
        if not 1 <= limit <= MOST_A_PAGE:
            raise invalid(f"limit must be between 1 and {MOST_A_PAGE}")
        if offset < 0:
            raise invalid("offset must not be negative")
        if self.text("descending") == "true":
            found = found[::-1]
        after = self.id("after")
        if after:
            # What comes behind it in the list, which need not be in the order of ids.
            ids = [one["id"] for one in found]
            found = found[ids.index(after) + 1:] if after in ids else []
        return found[offset:offset + limit]

    def links(self, path, shown):
        limit, offset = self._number("limit", A_PAGE), self._number("offset", 0)
        links = {"self": f"{path}?descending=false&limit={limit}&offset={offset}"}
        if offset:
            links["prev"] = f"{path}?descending=false&limit={limit}&offset={max(offset - limit, 0)}"
        if shown >= limit:
            links["next"] = f"{path}?descending=false&limit={limit}&offset={offset + limit}"
        return links

    def _number(self, name, default):
        try:
            return int(self.request.query.get(name) or default)
        except ValueError:
            raise invalid(f"{name} must be a number, not {self.request.query[name]!r}") from None


def ok(value):
    return in_json(200, value)


def created(value):
    return in_json(201, value)


def nothing(headers=()):
    return Reply(204, headers=list(headers))
