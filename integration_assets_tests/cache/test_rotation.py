"""Rotation of the key: everything is sealed anew while others write, nothing is lost, and a wrong key harms nothing."""

import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher, CipherError
from integration_assets.cache.deliveries import Outcome
from integration_assets.cache.engine import cache_engine
from integration_assets.cache.key_checks import check_keys
from integration_assets.cache.merge import MergeCounts, merge_partition
from integration_assets.cache.rotation import outdated, rotate
from integration_assets.cache.sealed import SEALED_TABLES, key_counts
from integration_assets.cache.store import Cache
from integration_assets.cache.tables import cipher_check
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
OLD, NEW = "the secret of last year", "the secret of this year"
BEFORE = Cipher.from_secrets({"k1": OLD}, "k1")
AFTER = Cipher.from_secrets({"k1": OLD, "k2": NEW}, "k2")
ONLY_NEW = Cipher.from_secrets({"k2": NEW}, "k2")


def customers(count: int, name: str = "Åse") -> pl.DataFrame:
    """Rows of kmd_ee/customers in one area; every third has a co-customer."""
    rows = pl.DataFrame(
        {
            "customer_number": [f"2{number:05}" for number in range(count)],
            "supply_area": "5000",
            "id_number": [f"010170{number:04}" for number in range(count)],
            "co_id_number": [f"020272{number:04}" if number % 3 == 0 else None for number in range(count)],
            "name": name,
        }
    )
    missing = [pl.lit(None, dtype).alias(key) for key, dtype in KMD_CUSTOMERS.schema.items() if key not in rows.columns]
    return rows.with_columns(missing).select(list(KMD_CUSTOMERS.schema))


def parties(count: int, name: str = "Åse") -> pl.DataFrame:
    """Desired rows of an entity whose payloads are sealed."""
    return pl.DataFrame(
        {
            "object_id": [f"party-{number:05}" for number in range(count)],
            "business_key": [f"2{number:05}" for number in range(count)],
            "supply_area": "5000",
            "number": [f"010170{number:04}" for number in range(count)],
            "name": name,
        }
    )


def merge(store: Cache, rows: pl.DataFrame) -> MergeCounts:
    return merge_partition(store.engine, KMD_CUSTOMERS, ["5000"], rows, cipher=store.cipher, as_of_now=NOW)


def deliver(store: Cache, limit: int = 1000) -> int:
    with store.deliveries.claim("lora", "customers", limit, datetime.now(UTC)) as claim:
        claim.record([Outcome(row.object_id, ok=True) for row in claim.rows])
        return len(claim.rows)


def filled(engine: sa.Engine, count: int) -> Cache:
    """A cache with source rows, delivered and read back parties, and register answers, all under the old key."""
    check_keys(engine, BEFORE)
    store = Cache(engine, BEFORE)
    merge(store, customers(count))
    store.deliveries.desire("lora", "customers", parties(count))
    deliver(store, count)
    found = {row["object_id"]: {"number": row["number"]} for row in parties(count).to_dicts()}
    store.deliveries.record_found("lora", "customers", found)
    for number in range(min(count, 20)):
        store.answers.put("person", f"{number:064}", {"number": f"010170{number:04}"}, date(2026, 11, 21))
    return store


def snapshot(engine: sa.Engine) -> list[object]:
    """Everything of the sealed tables but the sealed values themselves, and the packed fingerprints."""
    with engine.connect() as connection:
        shown = [
            connection.execute(sa.text(query)).all()
            for query in (
                "SELECT supply_area, customer_number, fingerprint, first_seen_at, changed_at, vanished_at "
                "FROM kmd_ee_customers ORDER BY 1, 2",
                "SELECT object_id, desired_fingerprint, desired_at, delivered_fingerprint, delivered_at, state, "
                "attempts, found_of, found_at FROM delivery ORDER BY 1",
                "SELECT service, subject, as_of FROM register_answer ORDER BY 1, 2",
                "SELECT table_name, area, algorithm, packed, row_count, updated_at FROM partition_fingerprint",
            )
        ]
    return list(shown)


def keys_in_use(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as connection:
        counts = key_counts(connection)
    return dict(counts.group_by("key_id").agg(pl.col("values").sum()).sort("key_id").iter_rows())


def test_all_sealed_columns_of_the_schema_are_known() -> None:
    known = {(table.name, column) for table in SEALED_TABLES for column in table.columns}
    assert known >= {
        ("kmd_ee_customers", "id_number"),
        ("kmd_ee_customers", "co_id_number"),
        ("resolved_customers", "number"),
        ("resolved_customers", "co_number"),
        ("cache_contacts", "ava_cpr_nummer"),
        ("delivery", "desired"),
        ("delivery", "delivered"),
        ("delivery", "found"),
        ("register_answer", "answer"),
    }
    assert not {name for name, _ in known} & {"partition_fingerprint", "cipher_check"}


def test_everything_is_sealed_anew_and_nothing_else_changes(cache: sa.Engine) -> None:
    filled(cache, 90)
    before = snapshot(cache)
    assert keys_in_use(cache) == {"k1": 90 + 30 + 3 * 90 + 20}
    told: list[tuple[str, int, int]] = []
    done = rotate(cache, AFTER, batch_rows=25, progress=lambda *step: told.append(step))
    assert (done.values, done.left, done.retired) == (410, {}, ["k1"])
    assert {step for step in told if step[1] == step[2]} == {
        ("delivery", 270, 270),
        ("kmd_ee_customers", 120, 120),
        ("register_answer", 20, 20),
    }
    assert keys_in_use(cache) == {"k2": 410}
    assert snapshot(cache) == before
    store = Cache(cache, ONLY_NEW)
    assert store.read(KMD_CUSTOMERS).rows() == customers(90).rows()
    assert store.answers.get("person", [f"{7:064}"]) == {f"{7:064}": {"number": "0101700007"}}
    assert merge(store, customers(90)) == MergeCounts(0, 0, 90, 0)
    assert store.deliveries.desire("lora", "customers", parties(90)).unchanged == 90
    assert deliver(store) == 0


def test_a_second_rotation_has_nothing_to_do(cache: sa.Engine) -> None:
    filled(cache, 10)
    rotate(cache, AFTER)
    with cache.connect() as connection:
        query = sa.text("SELECT ctid::text, xmin::text FROM kmd_ee_customers ORDER BY customer_number")
        before = connection.execute(query).all()
    assert rotate(cache, AFTER).values == 0
    with cache.connect() as connection:
        assert connection.execute(query).all() == before


def test_a_rotation_that_was_killed_goes_on_where_it_was(cache: sa.Engine) -> None:
    filled(cache, 60)

    class Killed(Exception):
        pass

    def die(table: str, done: int, _size: int) -> None:
        if table == "delivery" and done >= 60:
            raise Killed

    with pytest.raises(Killed):
        rotate(cache, AFTER, batch_rows=10, progress=die)
    assert keys_in_use(cache) == {"k1": 60 + 20 + 180 + 20 - 60, "k2": 60}
    assert Cache(cache, AFTER).read(KMD_CUSTOMERS).height == 60, "a mixture of keys is readable all the time"
    assert rotate(cache, AFTER).values == 220
    assert keys_in_use(cache) == {"k2": 280}


def test_payloads_that_are_not_sealed_stay_plain(cache: sa.Engine) -> None:
    store = filled(cache, 3)
    store.deliveries.desire("lora", "installations", parties(2).drop("number"))
    rotate(cache, AFTER)
    with cache.connect() as connection:
        query = sa.text("SELECT desired FROM delivery WHERE entity = 'installations'")
        assert all(bytes(value).startswith(b"{") for value in connection.execute(query).scalars())


def test_what_runs_write_meanwhile_is_neither_lost_nor_kept_waiting(cache: sa.Engine) -> None:
    """Merges, desires and deliveries go on with both keys while one rotation after the other passes over the rows."""
    count = 300
    filled(cache, count)
    running = Cache(cache, AFTER)
    stop, slowest, errors = threading.Event(), [0.0], []

    def work() -> None:
        try:
            for turn in range(12):
                began = time.monotonic()
                merge(running, customers(count, f"name {turn}"))
                running.deliveries.desire("lora", "customers", parties(count, f"name {turn}"))
                while deliver(running, 50) or running.deliveries.is_busy("lora", "customers", datetime.now(UTC)):
                    pass
                slowest[0] = max(slowest[0], time.monotonic() - began)
        except Exception as error:
            errors.append(error)
        finally:
            stop.set()

    worker = threading.Thread(target=work)
    worker.start()
    turns = 0
    while not stop.is_set():
        there, back = AFTER, AFTER.with_current("k1")
        rotate(cache, there if turns % 2 == 0 else back, batch_rows=40, patience_seconds=0)
        turns += 1
    worker.join(60)
    assert not errors
    assert turns >= 2
    assert slowest[0] < 10
    rotate(cache, AFTER)
    store = Cache(cache, ONLY_NEW)
    assert store.read(KMD_CUSTOMERS).rows() == customers(count, "name 11").rows()
    schema = pl.Schema({"number": pl.String, "name": pl.String})
    desired = store.deliveries.desired("lora", "customers", None, schema)
    assert desired.select("object_id", "number", "name").rows() == (
        parties(count, "name 11").select("object_id", "number", "name").rows()
    )
    assert store.deliveries.counts("lora", "customers") == {"delivered": count}
    assert merge(store, customers(count, "name 11")) == MergeCounts(0, 0, count, 0)


def test_rows_that_a_run_holds_are_left_for_later_and_nobody_waits(cache: sa.Engine) -> None:
    filled(cache, 20)
    store = Cache(cache, AFTER)
    store.deliveries.desire("lora", "customers", parties(20, "a new name"))
    with store.deliveries.claim("lora", "customers", 5, datetime.now(UTC)) as claim:
        began = time.monotonic()
        done = rotate(cache, AFTER, patience_seconds=0)
        assert time.monotonic() - began < 5
        assert done.left == {"delivery": 2 * 5}  # delivered and found; desired is written with the new key already
        assert done.retired == []
        claim.record([Outcome(row.object_id, ok=True) for row in claim.rows])
    assert rotate(cache, AFTER).left == {}
    assert keys_in_use(cache).keys() == {"k2"}


def test_a_value_that_does_not_open_stops_the_rotation_and_stays(cache: sa.Engine) -> None:
    filled(cache, 5)
    wrong = Cipher.from_secrets({"k1": "not the secret", "k2": NEW}, "k2")
    before = outdated(cache, AFTER)
    with pytest.raises(CipherError, match=r"Table delivery: .*'k1'.*INTEGRATION_CIPHER_FORMER_KEYS") as failure:
        rotate(cache, wrong)
    assert "0101700" not in str(failure.value)
    assert outdated(cache, AFTER) == before
    assert Cache(cache, BEFORE).read(KMD_CUSTOMERS).rows() == customers(5).rows()


def opened(url: str, folder: Path, **keys: object) -> Cache:
    return open_cache(Settings(cache_url=url, data_dir=folder, **keys))  # pyright: ignore[reportArgumentType]


def test_a_wrong_secret_is_told_before_anything_is_read_or_written(cache_url: str, tmp_path: Path) -> None:
    store = opened(cache_url, tmp_path, cipher_key=OLD)
    merge(store, customers(4))
    before = snapshot(store.engine)
    with pytest.raises(CipherError, match=r"another secret for the key 'k1'.*Nothing was read or written") as failure:
        opened(cache_url, tmp_path, cipher_key="wrong")
    assert "INTEGRATION_CIPHER_KEY" in str(failure.value)
    assert "wrong" not in str(failure.value)
    assert snapshot(store.engine) == before
    assert opened(cache_url, tmp_path, cipher_key=OLD).read(KMD_CUSTOMERS).height == 4


def test_a_missing_key_is_named_until_rotation_has_retired_it(cache_url: str, tmp_path: Path) -> None:
    merge(opened(cache_url, tmp_path, cipher_key=OLD), customers(4))
    new = {"cipher_key": NEW, "cipher_key_id": "k2"}
    with pytest.raises(CipherError, match=r"key 'k1', which the settings do not give.*INTEGRATION_CIPHER_FORMER_KEYS"):
        opened(cache_url, tmp_path, **new)
    both = opened(cache_url, tmp_path, **new, cipher_former_keys={"k1": OLD})
    assert both.read(KMD_CUSTOMERS).height == 4
    rotate(both.engine, both.cipher)
    assert opened(cache_url, tmp_path, **new).read(KMD_CUSTOMERS).rows() == customers(4).rows()
    with pytest.raises(CipherError, match="another secret for the key 'k1'"):
        opened(cache_url, tmp_path, **new, cipher_former_keys={"k1": "wrong"})
    with pytest.raises(CipherError, match="another secret for the key 'k1'"):
        opened(cache_url, tmp_path, cipher_key="a new one under an old id", cipher_former_keys={"k2": NEW})


def test_a_cache_from_before_the_check_is_held_against_its_values(cache_url: str, tmp_path: Path) -> None:
    engine = cache_engine(cache_url, tmp_path)
    merge(Cache(engine, BEFORE), customers(2))
    for keys, sentence in (
        ({"cipher_key": "wrong"}, "another secret for the key 'k1'"),
        ({"cipher_key": NEW, "cipher_key_id": "k2"}, "'k1', which the settings do not give"),
    ):
        with pytest.raises(CipherError, match=sentence):
            opened(cache_url, tmp_path, **keys)
    opened(cache_url, tmp_path, cipher_key=NEW, cipher_key_id="k2", cipher_former_keys={"k1": OLD})
    with pytest.raises(CipherError, match="another secret for the key 'k1'"):
        opened(cache_url, tmp_path, cipher_key=NEW, cipher_key_id="k2", cipher_former_keys={"k1": "wrong"})


def test_two_first_users_with_different_secrets_do_not_both_go_on(cache: sa.Engine) -> None:
    ciphers = [Cipher.from_secret(f"the secret of process {name}") for name in ("one", "two")]
    barrier, refused = threading.Barrier(2), []

    def use(cipher: Cipher) -> None:
        barrier.wait(10)
        try:
            check_keys(cache, cipher)
        except CipherError as error:
            refused.append(error)

    threads = [threading.Thread(target=use, args=(cipher,)) for cipher in ciphers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 1


def test_contradicting_and_unusable_keys_are_refused_without_their_secrets(cache_url: str, tmp_path: Path) -> None:
    for keys, sentence in (
        ({"cipher_key": "one", "cipher_former_keys": {"k1": "two"}}, "two different secrets for the key 'k1'"),
        ({"cipher_key": "one", "cipher_key_id": "k 1"}, "not usable"),
        ({"cipher_key": "one", "cipher_former_keys": {"k0": ""}}, "is empty: key k0"),
    ):
        with pytest.raises(CipherError, match=sentence) as failure:
            opened(cache_url, tmp_path, **keys)
        assert "one" not in str(failure.value).replace("none", "")


def test_a_new_key_needs_a_secret_of_sixteen_bytes(cache_url: str, tmp_path: Path) -> None:
    short, long_enough = "åfifteen bytes", "sixteen bytes xy"
    assert (len(short.encode()), len(long_enough.encode())) == (15, 16)
    with pytest.raises(CipherError, match=r"key 'k1' has fewer than 16 bytes.*Nothing was read or written") as failure:
        opened(cache_url, tmp_path, cipher_key=short)
    assert short not in str(failure.value)
    merge(opened(cache_url, tmp_path, cipher_key=long_enough), customers(2))
    former = {"cipher_former_keys": {"k1": long_enough}, "cipher_key_id": "k2"}
    with pytest.raises(CipherError, match="key 'k2' has fewer than 16 bytes"):
        opened(cache_url, tmp_path, cipher_key=short, **former)
    assert opened(cache_url, tmp_path, cipher_key=NEW, **former).read(KMD_CUSTOMERS).height == 2


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_cache_that_is_sealed_with_a_short_secret_can_be_opened_and_rotated(
    cache_url: str, tmp_path: Path, *, is_noted: bool
) -> None:
    engine = cache_engine(cache_url, tmp_path)
    brief = Cipher.from_secret("brief")
    merge(Cache(engine, brief), customers(2))
    if is_noted:  # by a release that took any secret
        with engine.begin() as connection:
            connection.execute(sa.insert(cipher_check).values(key_id="k1", sealed=brief.seal(b"known")))
    assert opened(cache_url, tmp_path, cipher_key="brief").read(KMD_CUSTOMERS).height == 2
    new = {"cipher_key": NEW, "cipher_key_id": "k2"}
    store = opened(cache_url, tmp_path, **new, cipher_former_keys={"k1": "brief"})
    assert rotate(store.engine, store.cipher).retired == ["k1"]
    assert opened(cache_url, tmp_path, **new).read(KMD_CUSTOMERS).height == 2


def test_a_run_that_still_seals_with_a_retired_key_is_noticed_at_opening(cache_url: str, tmp_path: Path) -> None:
    """The run opened the cache before the rotation, which found nothing of its key any more."""
    running = opened(cache_url, tmp_path, cipher_key=OLD)
    merge(running, customers(4))
    new = {"cipher_key": NEW, "cipher_key_id": "k2"}
    both = opened(cache_url, tmp_path, **new, cipher_former_keys={"k1": OLD})
    assert rotate(both.engine, both.cipher).retired == ["k1"]
    assert opened(cache_url, tmp_path, **new).read(KMD_CUSTOMERS).height == 4
    merge(running, customers(5))
    with pytest.raises(CipherError, match=r"key 'k1', which the settings do not give.*Nothing was read or written"):
        opened(cache_url, tmp_path, **new)
    again = opened(cache_url, tmp_path, **new, cipher_former_keys={"k1": OLD})
    assert rotate(again.engine, again.cipher).values > 0
    opened(cache_url, tmp_path, **new)


def test_a_key_that_was_retired_long_ago_is_not_looked_for(cache: sa.Engine) -> None:
    """No run lasts a month: after that, opening the cache costs no look at its values."""
    filled(cache, 2)
    rotate(cache, AFTER)
    Cache(cache, BEFORE).answers.put("person", "z" * 64, {"number": "0101700001"}, date(2026, 11, 21))
    with pytest.raises(CipherError):
        check_keys(cache, ONLY_NEW)
    with cache.begin() as connection:
        connection.execute(sa.update(cipher_check).values(retired_at=datetime.now(UTC) - timedelta(days=31)))
    check_keys(cache, ONLY_NEW)


def test_vanished_rows_are_rotated_too(cache: sa.Engine) -> None:
    store = filled(cache, 4)
    merge(store, customers(0))
    assert store.read(RESOLVED_CUSTOMERS).is_empty()
    rotate(cache, AFTER)
    kept = Cache(cache, ONLY_NEW).read(KMD_CUSTOMERS, include_vanished=True)
    assert kept.rows() == customers(4).rows()


def test_a_key_that_was_retired_comes_back_into_use(cache: sa.Engine) -> None:
    filled(cache, 2)
    assert rotate(cache, AFTER).retired == ["k1"]
    check_keys(cache, AFTER.with_current("k1"))
    with pytest.raises(CipherError, match="'k1', which the settings do not give"):
        check_keys(cache, ONLY_NEW)
