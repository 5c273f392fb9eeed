"""Every column of the billing system reaches what it feeds, also when nothing else changes.

What is expected is written from the rules: what each column means to the registry and to the CRM. A plan over a real
cache and a real source says what changes; nothing of it is sent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.deliveries import Outcome
from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate
from integration_assets.cache.merge import merge_partition
from integration_assets.cache.store import Cache
from integration_assets.clients import kmd_ee
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.registry.objects import Tenant, from_object, to_object
from integration_assets.domain.source_columns import (
    ALTERNATIVE_COLUMNS,
    INSTALLATION_COLUMNS,
    KUNDE_COLUMNS,
    SourceColumn,
)
from integration_assets.domain.tables import ADDRESS_REGISTER, KMD_CUSTOMERS, RESOLVED_CUSTOMERS
from integration_assets.flows.lookups import Lookups
from integration_assets.flows.plan import Means, Plan, known_areas, make_plan
from integration_assets.flows.source import SourceLimits
from integration_assets.sandbox.kmd_ee_tables import (
    ALTERNATIV_STED,
    FORBRUGSSTED,
    KUNDE,
    TREF_INSTALLATION,
    TREF_MAALER,
    create_tables,
)
from integration_assets_tests.domain.register_rows import index_of
from integration_assets_tests.flows.conftest import MANDATE
from integration_assets_tests.flows.street import DORA, EVA, fill, registers, units
from integration_assets_tests.flows.village import (
    TODAY,
    Source,
    address,
    address_register,
)

DECLARED = (*KUNDE_COLUMNS, *INSTALLATION_COLUMNS, *ALTERNATIVE_COLUMNS)
READ = {"customers": kmd_ee.CUSTOMERS, "installations": kmd_ee.INSTALLATIONS}

AREAS = ["5000", "5200"]
TENANT = Tenant("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")


def named(columns: tuple[SourceColumn, ...]) -> set[str]:
    return {column.name for column in columns}


def test_every_column_that_is_read_is_mapped_or_ignored_with_a_reason() -> None:
    assert set(READ["customers"]) == named(KUNDE_COLUMNS)
    assert set(READ["installations"]) == named((*INSTALLATION_COLUMNS, *ALTERNATIVE_COLUMNS))
    assert (len(KUNDE_COLUMNS), len(ALTERNATIVE_COLUMNS)) == (24, 8)
    # Eight of installation and meter, and the postal code of the place, which tells the supply area.
    assert named(INSTALLATION_COLUMNS) - {"Postnr"} == {
        "InstalNummer", "AlternativStedID", "Målernr", "MaalerTypeBetegnel", "Målertypefabrikat", "DatoFra", "DatoTil",
        "ForbrugsstedID",
    }  # fmt: skip
    for column in DECLARED:
        assert (column.target is None) != (column.ignored is None)
        assert column.ignored is None or len(column.ignored) > 20
    # Beside them only the settlement group is read, to explain rows that left the window.
    assert set(kmd_ee.CUSTOMERS_BY_NUMBER) - named(KUNDE_COLUMNS) == {"AfregningsgrpNr"}


@dataclass
class Village:
    """The village when a run has just been carried out. `tried` keeps the plans of the changes tried so far."""

    source: Source
    means: Means
    tried: dict[str, Plan] = field(default_factory=dict)

    def plan(self) -> Plan:
        return make_plan(self.means, known_areas(self.means, TODAY), TODAY)

    def changed_by(self, table: sa.Table, key: int, **values: Any) -> tuple[set[str], Plan]:
        """What changes when only these columns of one row do; the row is then put back.

        A new object is "system.entity+", a changed field "system.entity.field".
        """
        change = repr((table.name, key, values))
        if change not in self.tried:
            self.tried[change] = self._changed(table, key, values)
        return outcome(self.tried[change]), self.tried[change]

    def _changed(self, table: sa.Table, key: int, values: dict[str, Any]) -> Plan:
        column = next(iter(table.primary_key))
        with self.source.engine.connect() as connection:
            before = connection.execute(table.select().where(column == key)).mappings().one()
        assert any(before[name] != value for name, value in values.items())
        self.source.put(table, **{column.name: key, **values})
        try:
            return self.plan()
        finally:
            self.source.put(table, **dict(before))


def outcome(plan: Plan) -> set[str]:
    found: set[str] = set()
    for planned in plan.entities:
        entity = f"{planned.system}.{planned.entity}"
        for before, after in planned.difference.select("before", "after").iter_rows():
            if before is None:
                found.add(f"{entity}+")
                continue
            old, new = (_without_what_runs_date(entity, json.loads(row)) for row in (before, after))
            found |= {f"{entity}.{name}" for name in new if old.get(name) != new[name]}
    return found


DATED_BY_RUNS = {
    "lora.customers": {"user_key", "name", "kmd_name", "master_id", "phone", "mobile", "email"},
    "lora.customer_relations": {"name", "address_id"},
    "lora.installations": {"address_id"},
    "lora.agreements": {"billing_address_id"},
}
"""Fields that no source dates: their changes hold from the day of the run, which `dated_today` tells."""


def _without_what_runs_date(entity: str, row: dict[str, Any]) -> dict[str, Any]:
    dated = DATED_BY_RUNS.get(entity, set())
    return row | {"history": [piece for piece in row.get("history") or [] if piece["field"] not in dated]}


def dated_today(plan: Plan) -> set[str]:
    """The fields that got another value from the day of the plan on, as "system.entity.field"."""
    return {
        f"{planned.system}.{planned.entity}.{piece['field']}"
        for planned in plan.entities
        for after in planned.difference.get_column("after")
        for piece in json.loads(after).get("history") or []
        if piece["from"] == TODAY.isoformat()
    }


def carry_out(means: Means, plan: Plan) -> None:
    """Leaves in the cache what a run of this plan would: its frames, and deliveries that were made and read back."""
    cache, now = means.cache, datetime.now(UTC)
    for table, frame in ((KMD_CUSTOMERS, plan.resolved.customers), (RESOLVED_CUSTOMERS, plan.resolved.parties)):
        merge_partition(cache.engine, table, AREAS, frame, cipher=cache.cipher, as_of_now=now)
    for planned in plan.entities:
        cache.deliveries.desire(planned.system, planned.entity, planned.desired)
        with cache.deliveries.claim(planned.system, planned.entity, 1000, now) as claim:
            rows = claim.rows
            claim.record([Outcome(row.object_id, ok=True, external_ref=row.object_id) for row in rows])
        if planned.system == "lora":
            objects = {row.object_id: to_object(planned.entity, row.desired, TENANT) for row in rows}
            shown = {object_id: {"registreringer": [body]} for object_id, body in objects.items()}
            read = {object_id: from_object(planned.entity, found) for object_id, found in shown.items()}
            cache.deliveries.record_found(planned.system, planned.entity, read)


@pytest.fixture(scope="module")
def village(server_dir: Path) -> Iterator[Village]:
    url = embedded_server_url(server_dir, "columns")
    engine = cache_engine(url, server_dir)
    migrate(engine)
    create_tables(url)
    source = Source(url)
    fill(source)
    cache, ids = Cache(engine, "a secret of the tests"), ObjectIds("a key for these tests only")
    register = address_register(*units())
    merge_partition(engine, ADDRESS_REGISTER, ["0461"], register, cipher=cache.cipher, as_of_now=datetime.now(UTC))
    known = registers()
    lookups = Lookups(cache.answers, ids, known, MANDATE, as_of=TODAY, run_id="run")
    lookups.confirm_people(pl.Series("number", list(known.people)))
    lookups.confirm_companies(pl.Series("number", list(known.companies)))
    limits = SourceLimits(window_days=35, area_digits=4, max_vanished_share=0.2, tolerated_rows=20)
    index = index_of(register)
    means = Means(source.kmd_ee, cache, index, ids, MANDATE, limits, max_rejected_share=0.5, utility="Varme")
    village = Village(source, means)
    carry_out(means, village.plan())
    yield village
    source.engine.dispose()
    cache.close()


def test_after_a_run_nothing_changes(village: Village) -> None:
    plan = village.plan()
    assert (plan.areas, plan.waiting, plan.rejected()) == (("5000",), 0, {})
    assert outcome(plan) == set()
    standing = {(p.system, p.entity): p.unchanged for p in plan.entities}
    assert standing[("lora", "customers")] == standing[("crm", "contacts")] == 4
    assert standing[("lora", "customer_roles")] == standing[("crm", "agreement_contacts")] == 4
    assert standing[("lora", "installations")] == 3


# What changes in the registry and in the CRM when the address of a consumption place becomes another one: accounts and
# installations without a place of their own follow it, and the CRM needs the new address.
ADDRESS_OF_PLACE = {
    "lora.customer_relations.address_id",
    "crm.accounts.ava_adresse",
    "crm.installations.ava_adresse",
    "crm.addresses+",
}
# The line that was typed names the customer relation.
LINE_OF_PLACE = {"lora.customer_relations.name", "crm.accounts.name"}
ENDS = {f"lora.{entity}.valid_to" for entity in ("customer_relations", "customer_roles", "agreements")}
INACTIVE = {
    f"crm.{entity}.{field}"
    for entity in ("accounts", "customer_roles", "agreements")
    for field in ("statecode", "statuscode")
}
# One party leaves a customer number on the business day and another, never met before, joins.
PARTY_REPLACED = {
    "lora.customers+",
    "lora.customer_roles+",
    "lora.customer_roles.valid_to",
    "crm.contacts+",
    "crm.addresses+",
    "crm.customer_roles+",
    "crm.customer_roles.statecode",
    "crm.customer_roles.statuscode",
    "crm.agreement_contacts+",
    "crm.agreement_contacts.linked",
}
NEW_ALTERNATIVE = {"lora.installations.address_id", "crm.installations.ava_adresse", "crm.addresses+"}
OWNER = {"crm.installations.ava_aftale", "crm.installations.ava_kundenummer"}
AGREEMENT_CALLED = {"lora.agreements.name", "crm.agreements.ava_name"}
NOTHING: set[str] = set()

CASES: list[tuple[sa.Table, int, str, Any, set[str]]] = [
    # Kunde. A changed customer number is a new customer relation; the old one stays until somebody explains it.
    (KUNDE, 1002, "Kundenr", 1009, {
        "lora.customer_relations+", "lora.customer_roles+", "lora.agreements+",
        "crm.accounts+", "crm.customer_roles+", "crm.agreements+", "crm.agreement_contacts+",
    }),
    (KUNDE, 1001, "PersonnrSEnr", DORA, PARTY_REPLACED),
    (KUNDE, 1001, "LigestPersonnr", EVA, PARTY_REPLACED),
    (KUNDE, 1001, "LigestPersonnr", 0, {
        "lora.customer_roles.valid_to", "crm.customer_roles.statecode", "crm.customer_roles.statuscode",
        "crm.agreement_contacts.linked",
    }),
    (KUNDE, 1001, "KundeSagsnr", 7009, {"lora.customers.master_id", "crm.contacts.ava_kmdeemasterid"}),
    # The CRM shows people by the names of the person register.
    (KUNDE, 1001, "KundeNavn", "Anna Ny Prøve", {"lora.customers.name", "lora.customers.kmd_name"}),
    # A company is called as the company register calls it.
    (KUNDE, 1002, "KundeNavn", "Bageren", {"lora.customers.kmd_name"}),
    (KUNDE, 1001, "Telefonnr", 86999999, {"lora.customers.phone", "crm.contacts.ava_fastnetkmdee"}),
    (KUNDE, 1001, "MobilTlf", "20999999", {"lora.customers.mobile", "crm.contacts.ava_mobilkmdee"}),
    (KUNDE, 1001, "EmailKunde", "new@example.dk", {
        "lora.customers.email", "crm.contacts.ava_emailkmdee", "crm.contacts.emailaddress1",
    }),
    # The baker's row says that it is the place which Carl left: its address, and its installation.
    (KUNDE, 1002, "ForbrugsstedID", 3, LINE_OF_PLACE | OWNER | AGREEMENT_CALLED | {
        "lora.customer_relations.address_id", "lora.agreements.installations",
        "crm.accounts.ava_adresse", "crm.agreements.ava_antal_produkter",
    }),
    (KUNDE, 1001, "VejNavn", "Nørregade 21", {
        "lora.agreements.billing_address_id", "crm.agreements.ava_faktureringsadresse", "crm.addresses+",
    }),
    (KUNDE, 1001, "Postdistrikt", "5200 Odense V", {
        "lora.agreements.billing_address_id", "crm.agreements.ava_faktureringsadresse", "crm.addresses+",
    }),
    # Installations belong to the agreement from its first day, which the CRM shows for the agreement only.
    (KUNDE, 1001, "Tilflytningsdato", date(2020, 2, 1), {
        "lora.customer_relations.valid_from", "lora.customer_roles.valid_from", "lora.agreements.valid_from",
        "lora.agreements.installations", "crm.agreements.ava_startdato",
    }),
    (KUNDE, 1001, "Fraflytningsdato", date(2026, 11, 10), ENDS | INACTIVE | {
        "lora.agreements.installations", "crm.agreements.ava_slutdato",
    }),
    # Announced ahead of time: nothing has ended yet.
    (KUNDE, 1001, "Fraflytningsdato", date(2026, 12, 31), ENDS | {
        "lora.agreements.installations", "crm.agreements.ava_slutdato",
    }),
    (KUNDE, 1001, "Status", 5, NOTHING),
    (KUNDE, 1001, "FasadministratorID", 5, NOTHING),
    (KUNDE, 1001, "BoligadminID", 5, NOTHING),
    # Excluded from now on; what was exported before stays as it is.
    (KUNDE, 1001, "AfregningsgrpNr", 999, NOTHING),
    # Forbrugssted. The street is told by its code, where that is known; the line is what was typed.
    (FORBRUGSSTED, 1, "ForbrStVejnavn", "Vester Gade", LINE_OF_PLACE),
    (FORBRUGSSTED, 1, "Vejkode", 2222, ADDRESS_OF_PLACE),
    (FORBRUGSSTED, 1, "Husnr", 9, ADDRESS_OF_PLACE | LINE_OF_PLACE),
    (FORBRUGSSTED, 1, "Bogstav", "A", ADDRESS_OF_PLACE | LINE_OF_PLACE),
    (FORBRUGSSTED, 1, "Etage", "2", ADDRESS_OF_PLACE | LINE_OF_PLACE),
    (FORBRUGSSTED, 1, "Sidedørnr", "th", ADDRESS_OF_PLACE | LINE_OF_PLACE),
    (FORBRUGSSTED, 1, "Postnr", "5200", ADDRESS_OF_PLACE | LINE_OF_PLACE),
    (FORBRUGSSTED, 1, "Postdistrikt", "Odense Centrum", LINE_OF_PLACE),
    # TrefInstallation. Another number is another installation; the old one is nobody's in the CRM.
    (TREF_INSTALLATION, 11, "InstalNummer", 500, OWNER | {
        "lora.installations+", "lora.agreements.installations", "crm.installations+", "crm.installations.ava_adresse",
    }),
    (TREF_INSTALLATION, 11, "AlternativStedID", 7, {"lora.installations.address_id", "crm.installations.ava_adresse"}),
    # Anna's agreement is now called after 502, the baker's after 501, which stands at his address.
    (TREF_INSTALLATION, 11, "ForbrugsstedID", 2, OWNER | AGREEMENT_CALLED | {
        "lora.agreements.installations", "crm.agreements.ava_antal_produkter", "crm.installations.ava_adresse",
    }),
    # TrefMaaler. The agreement is called after its first installation.
    (TREF_MAALER, 11, "Målernr", "M999", AGREEMENT_CALLED | {
        "lora.installations.meters", "crm.installations.ava_name", "crm.installations.ava_maalernummer",
    }),
    (TREF_MAALER, 12, "Målernr", "M999", {
        "lora.installations.meters", "crm.installations.ava_name", "crm.installations.ava_maalernummer",
    }),
    (TREF_MAALER, 11, "MaalerTypeBetegnel", "qp 6", AGREEMENT_CALLED | {
        "lora.installations.meters", "crm.installations.ava_name", "crm.installations.ava_maalertype",
    }),
    (TREF_MAALER, 11, "Målertypefabrikat", "Varmevagt", AGREEMENT_CALLED | {
        "lora.installations.meters", "crm.installations.ava_name",
    }),
    (TREF_MAALER, 11, "DatoFra", date(2021, 1, 1), {
        "lora.installations.meters", "lora.installations.valid_from", "lora.agreements.installations",
        "lora.agreements.history",
    }),
    (TREF_MAALER, 11, "DatoTil", date(2026, 10, 1), {
        "lora.installations.meters", "lora.installations.valid_to", "lora.agreements.installations",
        "crm.installations.statecode", "crm.installations.statuscode",
    }),
    # AlternativSted: an access address, told by street code, postal code and house number.
    (ALTERNATIV_STED, 7, "HusnrAltern", 6, NEW_ALTERNATIVE),
    (ALTERNATIV_STED, 7, "Bogstav", "B", NEW_ALTERNATIVE),
    (ALTERNATIV_STED, 7, "VejkodeAltern", 2222, NEW_ALTERNATIVE),
    (ALTERNATIV_STED, 7, "Postnr", "5200", NEW_ALTERNATIVE),
    # By the street's name where its code is missing.
    (ALTERNATIV_STED, 8, "ForbrStVejnavn", "Østergade", NEW_ALTERNATIVE),
    # An access address has no floor and door, and the postal code says which city: the typed line alone changes.
    (ALTERNATIV_STED, 7, "EtageAltAdr", "1", NOTHING),
    (ALTERNATIV_STED, 7, "SidedørnrAltern", "tv", NOTHING),
    (ALTERNATIV_STED, 7, "Postdistrikt", "Odense Centrum", NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "key", "column", "value", "expected"),
    CASES,
    ids=[f"{table.name}.{column}={value}" for table, _, column, value, _ in CASES],
)
def test_what_a_column_alone_changes(
    village: Village, table: sa.Table, key: int, column: str, value: Any, expected: set[str]
) -> None:
    changed, plan = village.changed_by(table, key, **{column: value})
    assert changed == expected
    undated = {f"{entity}.{name}" for entity, names in DATED_BY_RUNS.items() for name in names}
    assert dated_today(plan) == expected & undated
    vanished = {"vanished_from_source": 1} if column == "Kundenr" else {}
    assert (plan.waiting, plan.rejected()) == (0, vanished)


def test_the_cases_cover_every_column() -> None:
    prefixes = {"AlternativSted": "Alt_"}
    aliases = {("Forbrugssted", "ForbrStPostdistrikt"): "Postdistrikt"}
    tried = {(table.name, column) for table, _, column, _, _ in CASES}
    for column in DECLARED:
        name = aliases.get((column.table, column.name), column.name).removeprefix(prefixes.get(column.table, "\0"))
        assert (column.table, name) in tried


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("EtageAltAdr", "1", "Vestergade 5 1, 5000 Odense C"),
        ("SidedørnrAltern", "tv", "Vestergade 5 tv, 5000 Odense C"),
        ("Postdistrikt", "Odense Centrum", "Vestergade 5, 5000 Odense Centrum"),
    ],
)
def test_what_an_access_address_lacks_shows_in_the_typed_line(
    village: Village, column: str, value: str, line: str
) -> None:
    _, plan = village.changed_by(ALTERNATIV_STED, 7, **{column: value})
    place = plan.resolved.places.row(by_predicate=pl.col("installation_number") == "502", named=True)
    shed = address("Vestergade", "5", kind="access")["address_id"]
    assert (place["address_line"], place["address_id"]) == (line, shed)
