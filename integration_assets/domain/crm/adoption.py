"""Which rows of a CRM that others filled are ours, by what each says of itself, and which of several is taken.

A contact is known by its CPR or CVR number, an account by its customer number, an installation by its number, an
agreement by its account, a role by account, code and party, an address by its place in the register (access address
with floor and door, or the KVHX key, or municipality, street code and house number). Our ids are computed from these,
so what a row stands for is known before we deliver anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from integration_assets.domain.crm.mapping import kvhx
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.numbers import whole_number

ADOPTED_ROWS: Final = pl.Schema(
    {
        "entity": pl.String,
        "row_id": pl.String,
        "object_id": pl.String,
        "business_key": pl.String,
        "taken": pl.Boolean,
    }
)
"""The cross reference: what a row stands for, and whether it is the one that is taken for it."""

BASE: Final = {"row_id": pl.String, "active": pl.Boolean, "created_at": pl.String}
FOUND_ROWS: Final[dict[str, pl.Schema]] = {
    "addresses": pl.Schema(
        {
            **BASE,
            "access_id": pl.String,
            "kvhx": pl.String,
            "municipality_code": pl.String,
            "street_code": pl.String,
            "house_digits": pl.String,
            "house_letter": pl.String,
            "floor": pl.String,
            "door": pl.String,
        }
    ),
    "contacts": pl.Schema({**BASE, "cpr_number": pl.String, "cvr_number": pl.String}),
    "accounts": pl.Schema({**BASE, "customer_number": pl.String, "utility": pl.Int64}),
    "customer_roles": pl.Schema({**BASE, "role_code": pl.Int64, "party": pl.String, "relation": pl.String}),
    "agreements": pl.Schema({**BASE, "relation": pl.String, "utility": pl.Int64}),
    "installations": pl.Schema({**BASE, "installation_number": pl.String, "utility": pl.Int64}),
}
"""The rows of a CRM as far as they say what they are; lookups are the CRM's own ids, choices its numbers."""

PartyIds = Callable[[pl.Series, pl.Series], pl.Series]
"""Our ids of parties by kind (person, company) and number."""

_KEYED: Final = {name: ADOPTED_ROWS[name] for name in ("row_id", "object_id", "business_key")}


@dataclass(frozen=True)
class Source:
    """What tells whom and what we mean: ids, whose parties, the register's addresses, which number our utility has.

    `register` are rows of addresses/register. Rows of another utility are none of ours.
    """

    ids: ObjectIds
    party_ids: PartyIds
    register: pl.DataFrame
    utility_option: int | None


def match(found: dict[str, pl.DataFrame], source: Source, standing: pl.DataFrame) -> pl.DataFrame:
    """The cross reference (ADOPTED_ROWS), by entity: every row of FOUND_ROWS that says what it stands for.

    Of several that stand for the same, the one that was taken before or has our own id stays (`standing`: entity,
    row_id), then an active one before an inactive one, then the oldest.
    """
    ours = {entity: _of_utility(frame, source.utility_option) for entity, frame in found.items()}
    contacts = _contacts(ours["contacts"], source)
    accounts = _numbered(ours["accounts"], "customer_number", "customer_relation", source.ids)
    keyed = {
        "addresses": addresses(ours["addresses"], source.register),
        "contacts": contacts,
        "accounts": accounts,
        "customer_roles": _roles(ours["customer_roles"], contacts, accounts, source.ids),
        "agreements": _agreements(ours["agreements"], accounts, source.ids),
        "installations": _numbered(ours["installations"], "installation_number", "installation", source.ids),
    }
    named = _called_by_customer(keyed, ours["customer_roles"])
    parts = [
        frame.join(ours[entity].select(list(BASE)), on="row_id", how="left").with_columns(entity=pl.lit(entity))
        for entity, frame in named.items()
    ]
    return _with_taken(pl.concat(parts), standing).select(list(ADOPTED_ROWS)).cast(ADOPTED_ROWS)


def addresses(rows: pl.DataFrame, register: pl.DataFrame) -> pl.DataFrame:
    """Addresses by the register's ids: row_id, object_id, business_key (none: the register calls them by their text).

    A row with an access address is a unit of it; one without is an access address itself, unless it has floor, door or
    a key. Two units of one name (a former one and its successor) are told apart by nothing, so the one in force counts.
    """
    in_force = pl.col("status").is_in([2, 3]).fill_null(False)
    ranked = register.sort(in_force, descending=True, maintain_order=True)
    units = ranked.filter(pl.col("kind") == "unit")
    houses = ranked.filter(pl.col("kind") == "access")
    given = rows.with_columns(
        pl.col("access_id").str.to_lowercase(), *(_lowered(name) for name in ("floor", "door", "kvhx"))
    )
    place = ("municipality_code", "street_code", "house")
    is_unit = pl.any_horizontal(pl.col("access_id", "kvhx", "floor", "door").is_not_null())
    by_access = given.filter(pl.col("access_id").is_not_null()).join(
        units.select("access_id", _lowered("floor"), _lowered("door"), pl.col("address_id").alias("object_id")).unique(
            ("access_id", "floor", "door"), keep="first", maintain_order=True
        ),
        on=("access_id", "floor", "door"),
        how="inner",
        nulls_equal=True,
    )
    by_key = given.filter(pl.col("kvhx").is_not_null()).join(
        units.select(kvhx().str.to_lowercase().alias("kvhx"), pl.col("address_id").alias("object_id")).unique(
            "kvhx", keep="first", maintain_order=True
        ),
        on="kvhx",
        how="inner",
    )
    by_place = (
        given.filter(~is_unit)
        .with_columns(_house(pl.concat_str("house_digits", "house_letter", ignore_nulls=True)).alias("house"))
        .join(
            houses.select(
                "municipality_code",
                "street_code",
                _house(pl.col("house_number")).alias("house"),
                pl.col("address_id").alias("object_id"),
            ).unique(place, keep="first", maintain_order=True),
            on=place,
            how="inner",
        )
    )
    under_own_id = rows.join(
        register.select(pl.col("address_id").alias("row_id")), on="row_id", how="semi"
    ).with_columns(object_id="row_id")
    found = pl.concat([part.select("row_id", "object_id") for part in (under_own_id, by_access, by_key, by_place)])
    return found.unique("row_id", keep="first", maintain_order=True).with_columns(business_key=pl.lit(None, pl.String))


def _lowered(name: str) -> pl.Expr:
    """A text as the register writes it, a blank one as none."""
    text = pl.col(name).str.strip_chars().str.to_lowercase()
    return pl.when(text.str.len_chars() > 0).then(text).alias(name)


def _house(number: pl.Expr) -> pl.Expr:
    """House number and letter without zeros before it, in capitals."""
    return number.str.strip_chars().str.replace(r"^0+", "").str.to_uppercase()


def _of_utility(frame: pl.DataFrame, option: int | None) -> pl.DataFrame:
    """Without the rows of another utility; a row that names none may be ours."""
    if "utility" not in frame.columns or option is None:
        return frame
    return frame.filter(pl.col("utility").is_null() | (pl.col("utility") == option))


def _contacts(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Persons and companies. A CPR number whose last four digits are not known tells nobody."""
    digits = {name: pl.col(name).str.replace_all(r"\D", "") for name in ("cpr_number", "cvr_number")}
    numbered = rows.with_columns(**digits).with_columns(
        pl.when(pl.col("cpr_number").str.contains(r"^\d{10}$") & ~pl.col("cpr_number").str.ends_with("0000"))
        .then(pl.lit("person"))
        .when(pl.col("cvr_number").str.contains(r"^\d{8}$"))
        .then(pl.lit("company"))
        .alias("kind")
    )
    known = numbered.drop_nulls("kind").with_columns(
        number=pl.when(pl.col("kind") == "person").then("cpr_number").otherwise("cvr_number")
    )
    ids = source.party_ids(known["kind"], known["number"])
    return known.with_columns(ids.alias("object_id"), business_key=pl.lit(None, pl.String)).select(list(_KEYED))


def _numbered(rows: pl.DataFrame, column: str, kind: str, ids: ObjectIds) -> pl.DataFrame:
    """Rows that are known by a number of the billing system."""
    known = rows.with_columns(whole_number(column).alias("business_key")).drop_nulls("business_key")
    return known.with_columns(ids.series(kind, known["business_key"]).alias("object_id")).select(list(_KEYED))


def _relations(accounts: pl.DataFrame) -> pl.DataFrame:
    return accounts.select(pl.col("row_id").alias("relation"), "business_key")


def _agreements(rows: pl.DataFrame, accounts: pl.DataFrame, ids: ObjectIds) -> pl.DataFrame:
    """An agreement for each customer relation."""
    known = rows.join(_relations(accounts), on="relation", how="inner")
    return known.with_columns(ids.series("agreement", known["business_key"]).alias("object_id")).select(list(_KEYED))


def _roles(rows: pl.DataFrame, contacts: pl.DataFrame, accounts: pl.DataFrame, ids: ObjectIds) -> pl.DataFrame:
    """Who is what in which customer relation."""
    parties = contacts.select(pl.col("row_id").alias("party"), pl.col("object_id").alias("party_id"))
    known = (
        rows.drop_nulls("role_code")
        .join(_relations(accounts), on="relation", how="inner")
        .join(parties, on="party", how="inner")
    )
    keys = known.select(pl.concat_str("business_key", pl.col("role_code"), "party_id", separator="|")).to_series()
    return known.with_columns(ids.series("customer_role", keys).alias("object_id")).select(list(_KEYED))


def _called_by_customer(keyed: dict[str, pl.DataFrame], roles: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Contacts with the lowest customer number that names them, as operators know them by."""
    numbers = (
        roles.join(_relations(keyed["accounts"]), on="relation", how="inner")
        .group_by("party")
        .agg(pl.col("business_key").sort_by(pl.col("business_key").cast(pl.Int64, strict=False)).first())
        .rename({"party": "row_id"})
    )
    return {**keyed, "contacts": keyed["contacts"].drop("business_key").join(numbers, on="row_id", how="left")}


def _with_taken(rows: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """Adds which of the rows for one object is taken."""
    stands = standing.select("entity", "row_id", stands=pl.lit(True))
    ordered = (
        rows.join(stands, on=("entity", "row_id"), how="left")
        .sort(
            "entity",
            "object_id",
            pl.col("stands").is_null(),
            pl.col("row_id") != pl.col("object_id"),
            ~pl.col("active").fill_null(True),
            "created_at",
            "row_id",
            nulls_last=True,
        )
        .with_columns(place=pl.int_range(pl.len()).over("entity", "object_id"))
    )
    return ordered.with_columns(taken=pl.col("place") == 0).sort("entity", "row_id")
