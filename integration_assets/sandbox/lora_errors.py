"""How the registry refuses: statuses and bodies, by who found the fault.

Belongs here: one exception per kind of answer. Texts are our own; clients must not read them, except that an update
which changes nothing says so.
"""

from typing import Any


class Refused(Exception):
    """A call that ends with a JSON body and a status below 500."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class ServerFault(Exception):
    """A call that ends in a bare 500: the registry did not foresee it. Nothing is written."""


def invalid(text: str) -> Refused:
    """400 of the checks before the database: schema, parameters."""
    return Refused(400, {"message": text})


def no_body() -> Refused:
    """400 when there is no JSON object to work on."""
    return Refused(400, {"uuid": None})


def rule_broken(text: str) -> Refused:
    """400 of the rules that live in the database: life cycle, overlap, no-op, missing group."""
    return Refused(400, {"message": f"ERROR:  {text}\nCONTEXT:  PL/pgSQL function\n", "context": [None]})


def unreadable(text: str, value: str) -> Refused:
    """400 of a value that the database cannot read: a date, a uuid, an enumeration."""
    return Refused(400, {"message": f"invalid input {text}", "context": f"LINE 1: '{value}'\n        ^\n"})


def unknown_object(class_name: str, object_id: str) -> Refused:
    """404 of an id that was never registered."""
    return Refused(404, {"message": f"No {class_name.capitalize()} with ID {object_id} found."})


def no_route() -> Refused:
    """404 of a URL that leads nowhere, a malformed uuid included."""
    return Refused(404, {"error": 404, "text": "404 Not Found: no such URL on this server."})


def gone(object_id: str) -> Refused:
    """410 of a deleted object."""
    return Refused(410, {"message": f"The object with UUID {object_id} has been deleted."})


def no_change() -> Refused:
    """400 of an update after which nothing would be different."""
    return rule_broken("Aborted updating object: it gives no new registration, nothing has changed.")
