"""Whether a CRM organisation can take what the mapping writes: what is needed against what its metadata says.

Belongs here: the comparison and its sentences. An error means that rows would be refused, so nothing is sent before it
is put right; a warning tells of what is slower, or may go wrong for some rows. What the mapping needs is made by
`domain.crm.needs`, what is there is read by `clients.dynamics_metadata`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from integration_assets.domain.crm.metadata import (
    ColumnKind,
    FoundColumn,
    FoundCrm,
    FoundTable,
    FoundUser,
    NeededColumn,
    NeededTable,
)

Severity = Literal["error", "warning"]

_TYPES: Final[dict[ColumnKind, frozenset[str]]] = {
    "text": frozenset({"String", "Memo"}),
    "integer": frozenset({"Integer", "BigInt", "Decimal", "Double", "Money"}),
    "option": frozenset({"Picklist", "State", "Status"}),
    "boolean": frozenset({"Boolean"}),
    "date": frozenset({"DateTime"}),
}
"""Dataverse's types of column (AttributeType) that take the values of a kind."""

_WORDS: Final[dict[ColumnKind, str]] = {
    "text": "text (Text or Multiline text)",
    "integer": "whole number",
    "option": "choice",
    "boolean": "yes/no",
    "date": "date only",
}
_EVERYWHERE: Final = "Global"
_ACTIVE: Final = "Active"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be: what, and (`remedy`) where an administrator puts it right."""

    severity: Severity
    table: str
    column: str | None
    text: str
    remedy: str

    @property
    def place(self) -> str:
        """Table, and column where it is about one."""
        return self.table if self.column is None else f"{self.table}.{self.column}"

    def __str__(self) -> str:
        return f"{self.place}: {self.text} {self.remedy}"


class UnfitCrm(RuntimeError):
    """The CRM cannot take our rows; the message says why not, for the operator and the CRM's administrator."""


def findings(needed: Sequence[NeededTable], found: FoundCrm) -> list[Finding]:
    """Everything that the organisation lacks, errors first, then by table as needed. Empty where all is well."""
    everything: list[Finding] = []
    for table in needed:
        there = found.tables.get(table.logical_name)
        if there is None:
            everything.append(_no_table(table))
            continue
        for compare in (_names, _columns, _lookups, _links, _keys, _messages):
            everything += compare(table, there)
        for user in found.users:
            everything += _privileges(table, there, user, _called(user, found))
    everything += [_unknown_rights(_called(user, found)) for user in found.users if user.granted is None]
    return sorted(everything, key=lambda finding: finding.severity)


def require_fit(found: Sequence[Finding]) -> None:
    """Raises UnfitCrm, naming every error, where there is one among the findings."""
    errors = [str(finding) for finding in found if finding.severity == "error"]
    if errors:
        listed = "\n".join(f"- {text}" for text in errors)
        raise UnfitCrm(f"The CRM cannot take our rows as it is set up. Nothing was sent.\n{listed}")


def _error(table: NeededTable, column: str | None, text: str, remedy: str) -> Finding:
    return Finding("error", table.logical_name, column, text, remedy)


def _warning(table: NeededTable, column: str | None, text: str, remedy: str) -> Finding:
    return Finding("warning", table.logical_name, column, text, remedy)


def _in_maker(table: NeededTable, part: str) -> str:
    """Where a part of a table is set."""
    return f"In Power Apps (make.powerapps.com), Tables, {table.logical_name}, {part}"


def _no_table(table: NeededTable) -> Finding:
    return _error(
        table,
        None,
        "The table does not exist, or the application user may not see it.",
        "Import the solution that contains it into this organisation, or correct crm_url.",
    )


def _names(table: NeededTable, there: FoundTable) -> Iterator[Finding]:
    if there.set_name != table.set_name:
        yield _error(
            table,
            None,
            f"Its rows are addressed as {there.set_name}, not as {table.set_name}.",
            "The entity set name is given when a table is made: the table must be made anew with the right one.",
        )
    if there.primary_id != table.primary_id:
        yield _error(
            table,
            None,
            f"Its primary id is {there.primary_id}, not {table.primary_id}.",
            "The name of the primary id follows from the table's: check which table this is.",
        )


def _columns(table: NeededTable, there: FoundTable) -> Iterator[Finding]:
    for column in table.columns:
        found = there.columns.get(column.name)
        if found is None:
            yield _error(
                table,
                column.name,
                f"The column does not exist{_near(column.name, there.columns)}; a {_WORDS[column.kind]} column is "
                "needed.",
                f"{_in_maker(table, 'Columns')}: add it with exactly this name.",
            )
        elif found.kind not in _TYPES[column.kind]:
            yield _error(
                table,
                column.name,
                f"The column is of type {found.kind}; a {_WORDS[column.kind]} column is needed.",
                "The type of a column cannot be changed: delete it and add it anew with the right type.",
            )
        else:
            yield from _access(table, column, found)
            yield from _values(table, column, found)


def _near(name: str, names: Mapping[str, object]) -> str:
    """Tells of a name that differs in letter case only."""
    near = next((other for other in names if other.lower() == name.lower()), None)
    return "" if near is None else f" (there is {near})"


def _access(table: NeededTable, column: NeededColumn, found: FoundColumn) -> Iterator[Finding]:
    # Most tables make every row active, and take its state in an update only.
    creatable = found.creatable or found.kind in ("State", "Status")
    if not (creatable and found.updatable):
        yield _error(
            table,
            column.name,
            "The column cannot be written.",
            f"{_in_maker(table, f'Columns, {column.name}')}: it must not be calculated or rolled up.",
        )
    if found.secured:
        yield _warning(
            table,
            column.name,
            "The column is secured: without a column security profile its values are refused.",
            "In the Power Platform admin centre, Settings, Column security profiles: give the application user a "
            "profile that may read, create and update it.",
        )


def _values(table: NeededTable, column: NeededColumn, found: FoundColumn) -> Iterator[Finding]:
    here = _in_maker(table, f"Columns, {column.name}")
    if column.longest is not None and found.max_length is not None and found.max_length < column.longest:
        yield _error(
            table,
            column.name,
            f"The column takes {found.max_length} characters; values have up to {column.longest}.",
            f"{here}: set the maximum character count to {column.longest} or more.",
        )
    if found.options is not None and (missing := sorted(column.options - found.options)):
        yield _error(
            table,
            column.name,
            f"The choice lacks {_listed('the value', missing)}.",
            f"{here}: add it to the choice with exactly this number.",
        )
    if column.kind == "date" and found.date_behaviour != "DateOnly":
        if found.date_format == "DateOnly":
            yield _warning(
                table,
                column.name,
                f"The column shows a date but keeps a time ({found.date_behaviour}): in some time zones it shows the "
                "day before.",
                f"{here}: set the time zone adjustment to Date only (this cannot be undone).",
            )
        else:
            yield _error(
                table,
                column.name,
                f"The column keeps a date with a time ({found.date_behaviour}); days are written.",
                f"{here}: set the format to Date only.",
            )


def _listed(word: str, values: Sequence[object]) -> str:
    return f"{word}{'s' if len(values) > 1 else ''} {', '.join(map(str, values))}"


def _lookups(table: NeededTable, there: FoundTable) -> Iterator[Finding]:
    for lookup in table.lookups:
        targets = there.lookups.get(lookup.navigation)
        near = next((name for name in there.lookups if name.lower() == lookup.navigation.lower()), None)
        if targets is None and near is not None:
            yield _error(
                table,
                lookup.navigation,
                f"The lookup's navigation property is spelled {near}, not {lookup.navigation}; letter case counts.",
                "The spelling is the schema name's, which cannot be changed: delete the lookup and add it anew with "
                "exactly this name.",
            )
        elif targets is None:
            yield _error(
                table,
                lookup.navigation,
                f"The lookup to {lookup.target} does not exist.",
                f"{_in_maker(table, 'Columns')}: add a lookup to {lookup.target} with exactly this name.",
            )
        elif lookup.target not in targets:
            yield _error(
                table,
                lookup.navigation,
                f"The lookup leads to {', '.join(sorted(targets))}, not to {lookup.target}.",
                "The target of a lookup cannot be changed: delete it and add it anew.",
            )


def _links(table: NeededTable, there: FoundTable) -> Iterator[Finding]:
    for link in table.links:
        if there.links.get(link.navigation) != link.target:
            near = _near(link.navigation, there.links)
            yield _error(
                table,
                link.navigation,
                f"The many-to-many relationship with {link.target} does not exist{near}.",
                f"{_in_maker(table, 'Relationships')}: add it with exactly this name.",
            )


def _keys(table: NeededTable, there: FoundTable) -> Iterator[Finding]:
    """Keys are not what rows are written by, so their lack stops nothing; they keep people from making duplicates."""
    where = _in_maker(table, "Keys")
    for columns in table.keys:
        if not any(key.columns == frozenset(columns) for key in there.keys):
            yield _warning(
                table,
                ", ".join(columns),
                "There is no alternate key over this, so nothing keeps people from making the same row twice.",
                f"{where}: add one.",
            )
    for key in there.keys:
        if key.status != _ACTIVE:
            yield _warning(
                table,
                ", ".join(sorted(key.columns)),
                f"The alternate key {key.name} is not in use: its index is {key.status}.",
                f"{where}: wait until it is active, or remove the rows that share a value and reactivate it."
                if key.status != "Failed"
                else f"{where}: remove the rows that share a value, then reactivate it.",
            )


def _messages(table: NeededTable, there: FoundTable) -> Iterator[Finding]:
    missing = [message for message in table.messages if message not in there.messages]
    if missing:
        yield _warning(
            table,
            None,
            f"The table does not take {', '.join(missing)}: its rows are sent one by one in batches, which is slower.",
            "Nothing needs to be done; Dataverse decides which tables take bulk messages.",
        )
    if "Write" in table.rights and not there.change_tracking:
        yield _warning(
            table,
            None,
            "Changes are not tracked, so what people change in the CRM cannot be asked for.",
            f"{_in_maker(table, 'Properties, Advanced options')}: switch on Track changes.",
        )


def _called(user: FoundUser, found: FoundCrm) -> str:
    """The user of a sentence; by its id where there are several."""
    return "The application user" if len(found.users) == 1 else f"The application user {user.user_id}"


def _unknown_rights(user: str) -> Finding:
    return Finding(
        "warning",
        "systemuser",
        None,
        f"{user} may not ask for its own privileges, so they were not checked.",
        "In the Power Platform admin centre, Security roles: give its role Read on User, Security Role and Privilege.",
    )


def _privileges(table: NeededTable, there: FoundTable, user: FoundUser, called: str) -> Iterator[Finding]:
    granted = user.granted
    if granted is None:
        return
    role = "In the Power Platform admin centre, Security roles, the role of the application user"
    needed = {right: there.privileges[right] for right in table.rights if right in there.privileges}
    missing = [right for right, privilege in needed.items() if privilege not in granted]
    if missing:
        yield _error(
            table,
            None,
            f"{called} lacks {_listed('the privilege', missing)} on the table.",
            f"{role}: give it on this table, for the whole organisation.",
        )
    narrow = [right for right, privilege in needed.items() if granted.get(privilege, _EVERYWHERE) != _EVERYWHERE]
    if narrow:
        yield _warning(
            table,
            None,
            f"{called} has {_listed('the privilege', narrow)} not for the whole organisation: rows that "
            "others own are refused.",
            f"{role}: widen it to Organization.",
        )
