"""Refusals as Grafana gives them."""

from standin.http import in_json


class Refusal(Exception):
    """`message_id` is for those of the newer form."""

    def __init__(self, status, message, message_id=None, **more):
        super().__init__(message)
        self.status = status
        self.message = message
        self.message_id = message_id
        self.more = more

    def reply(self):
        body = {"message": self.message, **self.more}
        if self.message_id:
            body |= {"messageId": self.message_id, "statusCode": self.status, "traceID": ""}
        return in_json(self.status, body)


def unauthorized(message="Unauthorized", message_id=None):
    return Refusal(401, message, message_id)


def forbidden(action):
    return Refusal(403, f"You'll need additional permissions to perform this action. Permissions needed: {action}",
                   title="Access denied", accessErrorId="ACE0000000000")
