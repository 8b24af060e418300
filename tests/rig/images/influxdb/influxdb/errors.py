"""Refusals as InfluxDB gives them: a code, whose status it has a table of, and a sentence."""

from standin.http import in_json

STATUS = {
    "internal error": 500,
    "invalid": 400,
    "empty value": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not found": 404,
    "method not allowed": 405,
    # Not 409, whatever the code is called.
    "conflict": 422,
    "unprocessable entity": 422,
}


class Refusal(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message

    def reply(self, headers=()):
        body = {"code": self.code, "message": self.message}
        return in_json(STATUS[self.code], body, [("X-Platform-Error-Code", self.code), *headers])


def invalid(message):
    return Refusal("invalid", message)


def not_found(message):
    return Refusal("not found", message)


def conflict(message):
    return Refusal("conflict", message)
