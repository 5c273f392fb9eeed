"""The refusals of the CRM sandbox: HTTP status, Dataverse code and text, as documented by Microsoft.

Belongs here: one constructor per documented error. Texts that no source shows are marked in the docstring.
"""

from collections.abc import Mapping
from typing import Any

from integration_assets.sandbox.dataverse.behaviour import Behaviour
from integration_assets.sandbox.dataverse.model import Table

_HELP = (
    "Error identified in Payload provided by the user for Entity :'{set_name}', For more information on this error "
    "please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : "
    "Microsoft.OData.ODataException: {text}"
)


class DataverseError(Exception):
    """A request that is refused: HTTP status, error code and text of the JSON body, further headers."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}


def payload(set_name: str, text: str) -> DataverseError:
    """400: the body cannot be read as the entity; `text` is that of the OData reader."""
    return DataverseError(400, "0x80048d19", _HELP.format(set_name=set_name, text=text))


def unknown_property(table: Table, name: str) -> DataverseError:
    """400: the body names a property that the table does not have."""
    text = (
        f"The property '{name}' does not exist on type '{table.type_name}'. "
        "Make sure to only use property names that are defined by the type."
    )
    return payload(table.set_name, text)


def untyped_null(table: Table) -> DataverseError:
    """400: null for a name that is no property (such as a lookup in the wrong case)."""
    return payload(table.set_name, "Does not support untyped value in non-open type.")


def undeclared_navigation(table: Table, name: str) -> DataverseError:
    """400: `@odata.bind` on a name that is no navigation property in exactly this case."""
    text = (
        f"An undeclared property '{name}' which only has property annotations in the payload but no property value was "
        "found in the payload. In OData, only declared navigation properties and declared named streams can be "
        "represented as properties without values."
    )
    return payload(table.set_name, text)


def null_bind(table: Table, name: str) -> DataverseError:
    """400: `@odata.bind` with null."""
    text = (
        f"The annotation 'odata.bind' was found on property '{name}' with a null value; "
        "'odata.bind' annotations must have a non-null string value."
    )
    return payload(table.set_name, text)


def query_property(table: Table, name: str) -> DataverseError:
    """400: `$select`, `$filter` or `$orderby` names an unknown property."""
    return query(f"Could not find a property named '{name}' on type '{table.type_name}'.")


def query(text: str) -> DataverseError:
    """400: the query options cannot be read."""
    return DataverseError(400, "0x80060888", text)


def no_segment(segment: str) -> DataverseError:
    """404: no such entity set, action or property in the path."""
    return DataverseError(404, "0x80060888", f"Resource not found for the segment '{segment}'.")


def does_not_exist(table: Table, row_id: str) -> DataverseError:
    """404: no row with this primary id."""
    return DataverseError(404, "0x80040217", f"Entity '{table.logical}' With Id = {row_id} Does Not Exist")


def no_row_with_key(table: Table) -> DataverseError:
    """404: no row with these values of an alternate key."""
    text = f"A record with the specified key values does not exist in {table.logical} entity"
    return DataverseError(404, "0x80060891", text)


def not_a_key(table: Table) -> DataverseError:
    """400: the columns in the parentheses are no key of the table."""
    text = (
        f"The key in the request URI is not valid for resource '{table.type_name}'. Ensure that the names and number "
        f"of key properties match the declared or alternate key properties for the resource '{table.type_name}'."
    )
    return DataverseError(400, "0x80060890", text)


def duplicate() -> DataverseError:
    """412: a row (or link) with this id is there already."""
    return DataverseError(412, "0x80040237", "A record with matching key values already exists.")


def duplicate_key(name: str, columns: tuple[str, ...]) -> DataverseError:
    """412: another row has these values of an alternate key."""
    text = (
        f"Entity Key {name} violated. A record with the same value for {', '.join(columns)} already exists. A "
        "duplicate record cannot be created. Select one or more unique values and try again."
    )
    return DataverseError(412, "0x80060892", text)


def stale() -> DataverseError:
    """412: If-Match names another version than the row has."""
    text = "The version of the existing record doesn't match the RowVersion property provided."
    return DataverseError(412, "0x80060882", text)


def too_long(table: Table, column: str, limit: int) -> DataverseError:
    """400: a text exceeds the length of its column (two spaces after the first sentence, as the real text has)."""
    text = (
        f"A validation error occurred.  The length of the '{column}' attribute of the '{table.logical}' entity "
        f"exceeded the maximum allowed length of '{limit}'."
    )
    return DataverseError(400, "0x80044331", text)


def option_out_of_range(table: Table, column: str, value: int, accepted: list[int]) -> DataverseError:
    """400: the value is none of the choice's."""
    text = (
        f"A validation error occurred. The value {value} of '{column}' on record of type '{table.logical}' is outside "
        f"the valid range. Accepted Values: {','.join(map(str, accepted))}"
    )
    return DataverseError(400, "0x8004431a", text)


def bad_state_pair(table: Table, status: int, state: int) -> DataverseError:
    """400: the status reason does not belong to the state."""
    text = f"{status} is not a valid status code for state code {state} of entity {table.logical}."
    return DataverseError(400, "0x80048408", text)


def out_of_range(table: Table, column: str, *, whole: bool) -> DataverseError:
    """400: the number, whole or with decimals, does not fit the column (text is not documented)."""
    text = (
        f"A validation error occurred. The value of '{column}' on record of type '{table.logical}' is outside the "
        "valid range."
    )
    return DataverseError(400, "0x8004432f" if whole else "0x80044330", text)


def privilege_denied(user_id: str, privilege: str, privilege_id: str, table: Table) -> DataverseError:
    """403: the security role of the application user lacks a privilege on the table."""
    text = (
        f"Principal user (Id={user_id}, type=8, roleCount=1, privilegeCount=48, accessMode=4), is missing {privilege} "
        f"privilege (Id={privilege_id}) on OTC={table.type_code} for entity '{table.logical}' "
        f"(LocalizedName='{table.schema_name}')"
    )
    return DataverseError(403, "0x80040220", text)


def not_a_member() -> DataverseError:
    """403: the token is good, but the application has no user in this organisation (text is not documented)."""
    return DataverseError(403, "0x80072560", "The user is not a member of the organization.")


def secured_column(user_id: str, column: str) -> DataverseError:
    """403: the column is secured and no column security profile lets the user write it."""
    text = f"Caller user with Id {user_id} does not have update permissions to a {column} secured field"
    return DataverseError(403, "0x8004f507", text)


def throttled(facet: str, rules: Behaviour, retry_after_s: int) -> DataverseError:
    """429: a limit of service protection is reached: "requests", "execution" or "concurrency"."""
    code, text = {
        "requests": (
            "0x80072322",
            f"Number of requests exceeded the limit of {rules.max_requests} over time window of {rules.window_s:g} "
            "seconds.",
        ),
        "execution": (
            "0x80072321",
            f"Combined execution time of incoming requests exceeded limit of {rules.max_execution_s * 1000:,.0f} "
            f"milliseconds over time window of {rules.window_s:g} seconds. Decrease number of concurrent requests or "
            "reduce the duration of requests and try again later.",
        ),
        "concurrency": ("0x80072326", f"Number of concurrent requests exceeded the limit of {rules.max_concurrent}."),
    }[facet]
    return DataverseError(429, code, text, {"Retry-After": str(retry_after_s)})


def invalid_argument(text: str) -> DataverseError:
    """400: a parameter is missing or makes no sense."""
    return DataverseError(400, "0x80040203", text)


def unexpected() -> DataverseError:
    """400: what UpsertMultiple answers when a new row has its alternate key both in `@odata.id` and in the body."""
    return DataverseError(400, "0x80040216", "An unexpected error occurred.")


def bad_batch(text: str) -> DataverseError:
    """400: the multipart body of $batch cannot be read."""
    return DataverseError(400, "0x80048d19", text)


def method_not_allowed(method: str) -> DataverseError:
    """405: the resource has no such method."""
    text = f"The HTTP method '{method}' is not supported at this resource."
    return DataverseError(405, "0x80060888", text)


def out_of_play(what: str) -> DataverseError:
    """501: real Dataverse can do this, the sandbox does not play it. Says so instead of pretending."""
    return DataverseError(501, "0x80040203", f"The sandbox does not play {what}.")
