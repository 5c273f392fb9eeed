"""`integration-assets registry correct`: an operator says how the past of an object was; the next run delivers it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from integration_assets.cache.claims import Outcome
from integration_assets.cache.store import Cache
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets.flows.identity import object_ids
from integration_assets.flows.registry import with_history
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings
from integration_assets_tests.cli.test_personal_data import ANNA, BO, OLD, Command
from integration_assets_tests.flows.on_file import OnFile

DONE, REFUSED = 0, 2
CHANGED_ON = date(2026, 11, 20)


@pytest.fixture
def store(cache_url: str, tmp_path: Path) -> Iterator[Cache]:
    """Customer number 200001 of Anna, and Bo beside her, whose telephone numbers were seen to change."""
    settings = Settings(
        cache_url=cache_url,  # pyright: ignore[reportArgumentType]
        data_dir=tmp_path,
        cipher_key=OLD,  # pyright: ignore[reportArgumentType]
        identity_key="a key for these tests only",  # pyright: ignore[reportArgumentType]
    )
    store = open_cache(settings)
    file = OnFile(store, object_ids(settings))
    file.add("200001", ANNA, BO)
    file.write(datetime(2026, 1, 1, tzinfo=UTC))
    see(store, CHANGED_ON, "87000000")
    yield store
    store.close()


@pytest.fixture
def command(cache_url: str, tmp_path: Path) -> Command:
    return Command(cache_url, tmp_path)


def see(store: Cache, day: date, phone: str) -> None:
    """A run that sees this telephone number of everybody."""
    rows = store.deliveries.desired("lora", "customers", None, REGISTRY_ROWS["customers"])
    seen = rows.with_columns(pl.lit(phone).alias("phone"), pl.lit([], rows.schema["history"]).alias("history"))
    store.deliveries.desire("lora", "customers", with_history("customers", seen, store, day))
    sent(store)


def sent(store: Cache) -> dict[str, list[Any]]:
    """Delivers what is due; the telephone numbers over time, by party."""
    with store.deliveries.claim("lora", "customers", 100, datetime.now(UTC)) as claim:
        claim.record([Outcome(row.object_id, ok=True) for row in claim.rows])
        return {row.object_id: [(each["from"], each["value"]) for each in row.desired["history"]] for row in claim.rows}


def test_a_number_that_was_typed_in_late_was_true_before(command: Command, store: Cache) -> None:
    assert sent(store) == {}, "nothing waits"
    made = command("registry", "correct", "customers", "200001", "phone", "--from", "2026-11-01", "--by", "ann")
    assert (made.returncode, made.stderr) == (DONE, "")
    assert "from 2026-11-01 on" in made.stdout
    (line,) = sent(store).values()
    assert line == [(None, "65123456"), ("2026-11-01", "87000000")]
    # The next run sees the same number and leaves the correction as it is; another number goes on from it.
    see(store, date(2026, 11, 21), "87000000")
    see(store, date(2026, 11, 22), "88000000")
    told = store.deliveries.desired("lora", "customers", None, REGISTRY_ROWS["customers"]).get_column("history")
    days = sorted(([each["from"] for each in history] for history in told.to_list()), key=lambda line: line[1])
    assert days == [
        [None, date(2026, 11, 1), date(2026, 11, 22)],
        [None, CHANGED_ON, date(2026, 11, 22)],
    ]


def test_a_value_that_was_always_true_has_no_other_before_it(command: Command, store: Cache) -> None:
    options = ("--always", "--by", "ann", "--co", "--note", "typed wrong")
    made = command("registry", "correct", "customers", "200001", "phone", *options)
    assert made.returncode == DONE, made.stderr
    assert list(sent(store).values()) == [[]]
    listed = command("registry", "corrections").stdout
    assert "customers 200001 phone always, by ann: typed wrong" in listed
    # Who asks for what is held on her is told of it too.
    assert "What operators corrected of the past" in command("person", "show", "200001").stdout


REFUSALS = [
    ("customers 200001 phone --by ann", "Name either"),
    ("customers 200001 phone --always --from 2026-11-01 --by ann", "Name either"),
    ("customers 200001 phone --from 2026-11-22 --by ann", "yet to come"),
    ("customers 200001 phone --from 2026-11-20 --by ann", "said of phone"),
    ("customers 200001 phone --always --by ", "name of the one"),
    ("customers 200001 last_name --always --by ann", "not dated by runs"),
    ("customers 200002 phone --always --by ann", "no customers of the customer number 200002"),
    ("agreements 200001 name --always --by ann", "no agreements"),
    ("customer_roles 200001 role_code --always --by ann", "nothing to correct"),
    ("customer_relations 200001 name --from 2026-11-01 --by ann", "Nothing is known of name"),
]


def test_what_cannot_be_corrected_is_refused_with_its_reason(command: Command, store: Cache) -> None:
    for arguments, sentence in REFUSALS:
        refused = command("registry", "correct", *arguments.split(" ", 9))
        assert (refused.returncode, sentence in refused.stderr) == (REFUSED, True), refused.stderr
    assert sent(store) == {}
    assert command("registry", "corrections").stdout == "Nothing has been corrected yet.\n"
