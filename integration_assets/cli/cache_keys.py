"""`integration-assets keys`: which keys the cache is sealed with, and sealing everything with the current one."""

import json
import sys

import typer

from integration_assets.cli.opened import DataDirOption, JsonOption, opened_cache, settings_of

NOT_ALL = 1

keys = typer.Typer(
    help="Keys that personal numbers are encrypted with (INTEGRATION_CIPHER_KEY, _KEY_ID and _FORMER_KEYS).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@keys.command()
def status(as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Shows how many values each key seals; a former key with none may be taken out of the settings."""
    import polars as pl

    from integration_assets.cache.key_checks import key_checks
    from integration_assets.cache.sealed import key_counts

    with opened_cache(settings_of(data_dir)) as cache, cache.engine.connect() as connection:
        counts, checks, current = key_counts(connection), key_checks(connection), cache.cipher.current
        known = cache.cipher.key_ids
    by_key = dict(counts.group_by("key_id").agg(pl.col("values").sum()).iter_rows())
    rows = [
        {
            "key": key_id,
            "current": key_id == current,
            "given": key_id in known,
            "values": by_key.get(key_id, 0),
            "columns": {
                f"{table}.{column}": count for table, column, key, count in counts.iter_rows() if key == key_id
            },
        }
        for key_id in sorted(checks.keys() | known | by_key.keys())
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        remark = "current" if row["current"] else "former" if row["given"] else "not given"
        print(f"{row['key']} ({remark}): {row['values']:,} values")
        for column, count in row["columns"].items():
            print(f"    {column}: {count:,}")


@keys.command()
def rotate(data_dir: DataDirOption = None) -> None:
    """Seals everything anew that a former key seals; runs may go on meanwhile.

    First give the new secret as INTEGRATION_CIPHER_KEY under a new INTEGRATION_CIPHER_KEY_ID, and the old one in
    INTEGRATION_CIPHER_FORMER_KEYS, to every process. Exits with 1 when runs held some values all the time: repeat it.
    """
    from integration_assets.cache.rotation import rotate as seal_anew

    with opened_cache(settings_of(data_dir)) as cache:
        done = seal_anew(cache.engine, cache.cipher, progress=_told)
        current = cache.cipher.current
    speed = round(done.values / max(done.seconds, 0.001))
    took = f"{done.seconds:.1f} s ({speed:,} per second)"
    print(f"{done.values:,} values were sealed anew with the key {current!r} in {took}.")
    if done.retired:
        print(f"No longer in use: {', '.join(done.retired)}. It may be taken out of the settings once no run uses it.")
    if done.left:
        left = ", ".join(f"{table} {count:,}" for table, count in done.left.items())
        print(f"Runs held these values all the time: {left}. They are as they were; repeat the command.")
        raise typer.Exit(NOT_ALL)


def _told(table: str, done: int, size: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{table}: {done:,} of {size:,}", end="" if done < size else "\n", file=sys.stderr, flush=True)
