"""Checks a JSON body against a table of its fields. Stricter than the real servers in one thing: a field that the published
description does not know is refused, where they would pass over it, as it is most likely a misspelt one."""

import json
from dataclasses import dataclass


class Misshapen(Exception):
    """Says which field is wrong, and how."""


@dataclass(frozen=True)
class Field:
    """`kind` is a Python type, a table of fields, a list with the kind of its elements, or `Map`."""

    kind: object
    required: bool = False


@dataclass(frozen=True)
class Map:
    """An object with any names, whose values are all of one kind."""

    kind: object


def must(kind):
    return Field(kind, required=True)


def may(kind):
    return Field(kind)


NAMES = {str: "a string", int: "a whole number", bool: "true or false", dict: "an object"}


def parse(body, table):
    """The body as an object that has the table's shape."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Misshapen(f"the body is no JSON: {error}") from error
    check(value, table, "the body")
    return value


def check(value, kind, place):
    """Raises `Misshapen` unless the value is of the kind."""
    if isinstance(kind, Map):
        _of_type(value, dict, place)
        for name, inner in value.items():
            check(inner, kind.kind, f"{place}.{name}")
    elif isinstance(kind, dict):
        _of_type(value, dict, place)
        for name in value:
            if name not in kind:
                raise Misshapen(f"{place} has a field {name!r} that the API does not know; it knows {', '.join(sorted(kind))}")
        for name, field in kind.items():
            # null stands for a field that is left out, as it does to the real servers.
            if value.get(name) is not None:
                check(value[name], field.kind, f"{place}.{name}")
            elif field.required:
                raise Misshapen(f"{place} lacks the field {name!r}")
    elif isinstance(kind, list):
        if not isinstance(value, list):
            raise Misshapen(f"{place} must be a list, not {json.dumps(value)}")
        for index, inner in enumerate(value):
            check(inner, kind[0], f"{place}[{index}]")
    else:
        _of_type(value, kind, place)


def _of_type(value, kind, place):
    # True is an int to Python.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Misshapen(f"{place} must be {NAMES[kind]}, not {json.dumps(value)}")
