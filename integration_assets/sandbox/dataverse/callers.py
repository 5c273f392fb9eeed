"""Who asks: an application user of the CRM sandbox and what its security role lets it do.

Belongs here: ids of users and privileges, and the check before each read and write.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.behaviour import ApplicationUser
from integration_assets.sandbox.dataverse.model import RIGHTS, Schema, Table, metadata_id

BUSINESS_UNIT = "7c9a5b1e-4d2f-4f0e-9d1a-1f2e3d4c5b6a"
ORGANISATION_ID = "e4d3c2b1-a0f9-4e8d-8c7b-6a5f4e3d2c1b"


@dataclass(frozen=True)
class Caller:
    """The application user behind a token."""

    client_id: str
    user: ApplicationUser
    colleagues: Mapping[str, ApplicationUser] = field(default_factory=dict)
    """The other application users by client id."""

    @property
    def user_id(self) -> str:
        """Its id in the table of users (systemusers)."""
        return metadata_id(f"systemuser/{self.client_id}")

    def known(self, user_id: str) -> "Caller | None":
        """This or another application user by its id."""
        everybody = (self, *(Caller(client_id, user) for client_id, user in self.colleagues.items()))
        return next((caller for caller in everybody if caller.user_id == user_id), None)

    def need(self, right: str, table: Table) -> None:
        """DataverseError 403 when the role lacks a right (one of `RIGHTS`) on the table."""
        if table.privilege(right) in self.user.without:
            self.refuse(right, table)

    def refuse(self, right: str, table: Table) -> NoReturn:
        """The 403 that tells that the role lacks the right."""
        privilege = table.privilege(right)
        raise errors.privilege_denied(self.user_id, privilege, metadata_id(privilege), table)

    def privileges(self, schema: Schema) -> Iterator[dict[str, Any]]:
        """The privileges that the role gives, as RetrieveUserPrivileges tells them."""
        for table in schema.tables.values():
            for right in RIGHTS:
                name = table.privilege(right)
                if name not in self.user.without:
                    yield {
                        "Depth": self.user.depth,
                        "PrivilegeId": metadata_id(name),
                        "BusinessUnitId": BUSINESS_UNIT,
                        "PrivilegeName": name,
                        "RecordFilterId": "00000000-0000-0000-0000-000000000000",
                        "RecordFilterUniqueName": None,
                    }
