"""Which requests there are: a method, a path with `{names}` in it, the query parameters it knows, and what answers it."""

from dataclasses import dataclass
from typing import Callable
from urllib.parse import unquote


class NoSuchPath(Exception):
    """No route has the path."""


class NoSuchMethod(Exception):
    """The path is there, but not for this method; `allowed` are those it has."""

    def __init__(self, allowed):
        super().__init__(", ".join(allowed))
        self.allowed = allowed


@dataclass(frozen=True)
class Route:
    """`options` are the service's own, such as whom it lets in."""

    method: str
    segments: tuple
    query: frozenset
    answer: Callable
    options: dict

    def match(self, segments):
        """The values of the `{names}` in the path, or None."""
        if len(segments) != len(self.segments):
            return None
        values = {}
        for pattern, segment in zip(self.segments, segments):
            if pattern.startswith("{"):
                if not segment:
                    return None
                values[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return values


class Routes:
    """A decorator that notes routes, and the search among them. A literal segment goes before a `{name}`."""

    def __init__(self):
        self.noted = []

    def __call__(self, method, path, query=(), **options):
        def note(answer):
            self.noted.append(Route(method, _segments(path), frozenset(query), answer, options))
            return answer

        return note

    def find(self, method, path):
        """The route and the values of its `{names}`."""
        found = []
        for route in self.noted:
            values = route.match(_segments(path))
            if values is not None:
                found.append((len(values), route, values))
        if not found:
            raise NoSuchPath(path)
        fewest = min(names for names, _, _ in found)
        found = [(route, values) for names, route, values in found if names == fewest]
        for route, values in found:
            # HEAD asks for what GET would say.
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route, values
        raise NoSuchMethod(sorted({route.method for route, _ in found}))


def _segments(path):
    return tuple(unquote(segment) for segment in path.strip("/").split("/"))
