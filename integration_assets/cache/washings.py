"""What address texts were found to mean, with the evidence, and what operators decided about them.

One row per kind of washing and distinct text. An answer counts for one generation of the register and one version of
the rules; a text that neither changed costs nothing. When another generation or other rules answer otherwise, the row
keeps both answers.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.copying import as_number, copy_in, copy_out
from integration_assets.cache.tables import address_decision, washing
from integration_assets.domain.addresses.washing.evidence import ANSWERS

CHANGES: Final = pl.Schema(
    {
        "kind": pl.String,
        "text": pl.String,
        "category": pl.String,
        "address_id": pl.String,
        "generation": pl.Int64,
        "rule_version": pl.String,
        "category_before": pl.String,
        "address_id_before": pl.String,
        "generation_before": pl.Int64,
        "rule_version_before": pl.String,
    }
)
"""Answers that differ from those before them."""

DECISIONS: Final = pl.Schema(
    {"normalized": pl.String, "address_id": pl.String, "decided_by": pl.String, "note": pl.String}
)
"""What an operator decided about a normalized text; address_id null: there is no such address."""

BOOK: Final = pl.Schema({"kind": pl.String, **DECISIONS, "decided_at": pl.Datetime("us", "UTC")})
"""Decisions as they are listed."""

_SEPARATOR: Final = "\x1e"
_ASKED: Final = "ANY(string_to_array(%s, chr(30)))"
_WASHED: Final = (
    "CREATE TEMP TABLE washed (text text, normalized text, category text, outcome text, method text, unit_id text, "
    "access_id text, evidence jsonb) ON COMMIT DROP"
)

_RECORD: Final = """
INSERT INTO washing AS w (kind, text, normalized, category, outcome, method, unit_id, access_id, evidence, generation,
  rule_version, washed_at)
SELECT :kind, text, normalized, category, outcome, method, unit_id, access_id, evidence, :generation, :rules, :now
FROM washed ORDER BY text
ON CONFLICT (kind, text) DO UPDATE SET
  normalized = excluded.normalized, category = excluded.category, outcome = excluded.outcome,
  method = excluded.method, unit_id = excluded.unit_id, access_id = excluded.access_id,
  evidence = excluded.evidence, generation = excluded.generation, rule_version = excluded.rule_version,
  washed_at = excluded.washed_at,
  before = CASE WHEN {same} THEN w.before ELSE jsonb_build_object('category', w.category, 'outcome', w.outcome,
    'address_id', coalesce(w.unit_id, w.access_id), 'generation', w.generation, 'rule_version', w.rule_version) END,
  changed_at = CASE WHEN {same} THEN w.changed_at ELSE excluded.washed_at END
""".format(
    same="(w.category, w.outcome, w.unit_id, w.access_id) IS NOT DISTINCT FROM "
    "(excluded.category, excluded.outcome, excluded.unit_id, excluded.access_id)"
)


class Washings:
    """The tables washing and address_decision. `kind` is that of the washing: unit or access."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def known(self, kind: str, texts: pl.Series, *, generation: int, rule_version: str) -> pl.DataFrame:
        """The answers (ANSWERS) that this generation and these rules gave to these texts before, in no order."""
        columns = ", ".join(name if name != "evidence" else "evidence::text" for name in ANSWERS)
        query = (
            f"SELECT {columns} FROM washing WHERE kind = %s AND generation = %s AND rule_version = %s "
            f"AND text = {_ASKED}"
        )
        with self._engine.connect() as connection:
            return copy_out(connection, query, ANSWERS, [kind, generation, rule_version, _joined(texts)])

    def last(self, kind: str, text: str) -> Mapping[str, Any] | None:
        """The last answer to a text, of whatever register and rules: ANSWERS with the evidence as an object, and
        washed_at; None where it was never washed."""
        columns = [washing.c[name] for name in (*ANSWERS, "washed_at")]
        query = sa.select(*columns).where(washing.c.kind == kind, washing.c.text == text)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else {str(name): value for name, value in row.items()}

    def decision(self, kind: str, normalized: str) -> Mapping[str, Any] | None:
        """What was decided about a normalized text: the columns of BOOK; None for nothing."""
        query = sa.select(address_decision).where(
            address_decision.c.kind == kind, address_decision.c.normalized == normalized
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else {str(name): value for name, value in row.items()}

    def record(
        self, kind: str, answers: pl.DataFrame, *, generation: int, rule_version: str, now: datetime
    ) -> pl.DataFrame:
        """Keeps the answers (ANSWERS, each text once); returns those that differ from the answer before: CHANGES."""
        with self._engine.begin() as connection:
            connection.execute(sa.text(_WASHED))
            copy_in(connection, "washed", answers.select(list(ANSWERS)))
            key = {"kind": kind, "generation": generation, "rules": rule_version, "now": now}
            connection.execute(sa.text(_RECORD), key)
            return _changes(connection, "kind = %s AND changed_at = %s AND text = " + _ASKED,
                            [kind, now, _joined(answers["text"])])  # fmt: skip

    def changed_since(self, moment: datetime) -> pl.DataFrame:
        """Answers that changed at or after `moment`: CHANGES, ordered by kind and text."""
        with self._engine.connect() as connection:
            return _changes(connection, "changed_at >= %s", [moment])

    def decide(
        self, kind: str, normalized: str, address_id: str | None, *, by: str, note: str | None, now: datetime
    ) -> None:
        """Remembers an operator's decision about a normalized text, in place of an earlier one."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO address_decision (kind, normalized, address_id, decided_by, note, decided_at) "
                    "VALUES (:kind, :normalized, :address, :by, :note, :now) ON CONFLICT (kind, normalized) DO UPDATE "
                    "SET address_id = excluded.address_id, decided_by = excluded.decided_by, note = excluded.note, "
                    "decided_at = excluded.decided_at"
                ),
                {"kind": kind, "normalized": normalized, "address": address_id, "by": by, "note": note, "now": now},
            )

    def decisions(self, kind: str, normalized: pl.Series) -> pl.DataFrame:
        """The decisions (DECISIONS) about these normalized texts."""
        query = f"SELECT {', '.join(DECISIONS)} FROM address_decision WHERE kind = %s AND normalized = {_ASKED}"
        with self._engine.connect() as connection:
            return copy_out(connection, query, DECISIONS, [kind, _joined(normalized)])

    def all_decisions(self) -> pl.DataFrame:
        """All decisions: BOOK, the latest first."""
        columns = ", ".join(as_number(name, dtype) for name, dtype in BOOK.items())
        query = f"SELECT {columns} FROM address_decision ORDER BY address_decision.decided_at DESC, kind, normalized"
        with self._engine.connect() as connection:
            return copy_out(connection, query, BOOK)


def _joined(texts: pl.Series) -> str:
    """The texts as one, since the driver takes ten times as long for an array of many."""
    return _SEPARATOR.join(texts.drop_nulls().unique())


def _changes(connection: sa.Connection, condition: str, parameters: list[object]) -> pl.DataFrame:
    before = ", ".join(
        f"before->>'{name}'" if dtype == "text" else f"(before->>'{name}')::bigint"
        for name, dtype in (
            ("category", "text"),
            ("address_id", "text"),
            ("generation", "bigint"),
            ("rule_version", "text"),
        )
    )
    query = (
        f"SELECT kind, text, category, coalesce(unit_id, access_id), generation, rule_version, {before} FROM washing "
        f"WHERE before IS NOT NULL AND {condition} ORDER BY kind, text"
    )
    return copy_out(connection, query, CHANGES, parameters)
