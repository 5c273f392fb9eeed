"""References between CRM tables: which living rows lead nowhere."""

from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.merge import merge_partition
from integration_assets.cache.references import Dangling, dangling
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.schema import EntityTable
from integration_assets_tests.cache.samples import CIPHER, NOW

ROLES, ACCOUNTS = CRM_TABLES["customer_roles"], CRM_TABLES["accounts"]


def hold(engine: sa.Engine, table: EntityTable, *rows: dict[str, Any], areas: tuple[str, ...] = ("5000",)) -> None:
    full = [{"business_key": row[table.key], "supply_area": "5000", **row} for row in rows]
    frame = pl.DataFrame(full, schema={name: table.schema[name] for name in full[0]} if full else None)
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in table.schema.items() if name not in frame.columns]
    merge_partition(engine, table, areas, frame.with_columns(absent), cipher=CIPHER, as_of_now=NOW)


def test_rows_dangle_when_their_target_is_missing_or_has_vanished(cache: sa.Engine) -> None:
    key, roles_key = ACCOUNTS.key, ROLES.key
    hold(cache, ACCOUNTS, {key: "here"}, {key: "gone"})
    hold(cache, ACCOUNTS, {key: "here"})
    hold(cache, ACCOUNTS, {key: "elsewhere", "supply_area": "5200"}, areas=("5200",))
    targets = {"r1": "here", "r2": "gone", "r3": "never", "r4": None, "r5": "elsewhere"}
    hold(cache, ROLES, *({roles_key: role, "ava_kundeforhold": target} for role, target in targets.items()))
    assert dangling(cache, ROLES, "ava_kundeforhold", ACCOUNTS) == Dangling(2, ["r2", "r3"])


def test_rows_that_have_vanished_themselves_do_not_dangle(cache: sa.Engine) -> None:
    hold(cache, ROLES, {ROLES.key: "r1", "ava_kundeforhold": "never"}, {ROLES.key: "r2"})
    hold(cache, ROLES, {ROLES.key: "r2"})
    assert dangling(cache, ROLES, "ava_kundeforhold", ACCOUNTS) == Dangling(0, ())


def test_at_most_five_examples_are_named(cache: sa.Engine) -> None:
    hold(cache, ROLES, *({ROLES.key: f"r{number}", "ava_kundeforhold": "never"} for number in range(7)))
    assert dangling(cache, ROLES, "ava_kundeforhold", ACCOUNTS) == Dangling(7, ["r0", "r1", "r2", "r3", "r4"])
