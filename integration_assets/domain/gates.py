"""When not to deliver: rules that must hold before anything is written or sent.

A gate returns nothing when it is open and raises GateClosed with a sentence for the operator when it is not. Sentences
name customer and installation numbers, never personal numbers: callers name the column that may be shown.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

_SHOWN: Final = 5


class GateClosed(Exception):
    """Nothing was delivered, because a rule does not hold; the text says which and where to look."""


def require_unique(frame: pl.DataFrame, columns: Sequence[str], what: str, *, shown: str = "business_key") -> None:
    """`columns` together name at most one row of `frame`. `shown` is the column whose values the sentence names."""
    doubled = frame.filter(pl.struct(columns).is_duplicated())
    if doubled.height:
        raise GateClosed(
            f"{what}: {doubled.height} rows share their key ({', '.join(columns)}) with another row"
            f"{_examples(doubled, shown)}. Nothing was delivered."
        )


def require_complete(frame: pl.DataFrame, columns: Sequence[str], what: str, *, shown: str = "business_key") -> None:
    """None of `columns` is null in any row of `frame`."""
    for column in columns:
        missing = frame.filter(pl.col(column).is_null())
        if missing.height:
            raise GateClosed(
                f"{what}: {missing.height} of {frame.height} rows have no {column}{_examples(missing, shown)}. "
                "Nothing was delivered."
            )


def require_known(
    frame: pl.DataFrame,
    column: str,
    targets: pl.Series,
    what: str,
    target: str,
    *,
    shown: str = "business_key",
) -> None:
    """Every value of `column` is among `targets`; null points nowhere and passes (see `require_complete`).

    `what` and `target` are the words for the rows and for what they point at, e.g. "customer roles", "customer".
    """
    wanted = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(targets.implode()))
    if wanted.height:
        raise GateClosed(
            f"{what}: {wanted.height} of {frame.height} rows point at a {target} that does not exist"
            f"{_examples(wanted, shown)}. Nothing was delivered."
        )


def require_plausible_share(affected: int, total: int, what: str, *, largest_share: float, tolerated: int = 20) -> None:
    """Not more than `largest_share` (0..1) of `total` rows are affected, e.g. vanished or rejected.

    Up to `tolerated` rows pass in any case: in a supply area of ten customers two who move are not an accident.
    Raises ValueError when the numbers cannot be right.
    """
    if affected < 0 or total < 0 or not 0 <= largest_share <= 1:
        raise ValueError("Counts are not negative and shares lie between 0 and 1.")
    if affected <= tolerated or affected <= largest_share * total:
        return
    share = f"{affected / total:.1%}" if total else "all"
    raise GateClosed(
        f"{what}: {affected} of {total} rows ({share}), more than the {largest_share:.1%} that is plausible. "
        "Nothing was delivered; when this is right, raise the limit for one run."
    )


def require_plausible_changes(
    new: int, changed: int, known: int, what: str, *, most: int | None, largest_share: float, tolerated: int = 20
) -> None:
    """A run creates and changes not more than `most` rows, and changes not more than a share of the `known` ones.

    Up to `tolerated` changed rows pass whatever their share. Creating is no change: a first load creates everything.
    """
    if most is not None and new + changed > most:
        raise GateClosed(
            f"{what}: {new} rows would be created and {changed} changed, more than the {most} allowed in one run. "
            "Nothing was delivered."
        )
    if changed > tolerated and changed > largest_share * known:
        raise GateClosed(
            f"{what}: {changed} of {known} rows ({changed / known:.1%}) would change, more than the "
            f"{largest_share:.1%} that is plausible. Nothing was delivered."
        )


def _examples(rows: pl.DataFrame, shown: str) -> str:
    """A few values of the shown column, for the sentence."""
    names = rows.get_column(shown).drop_nulls().cast(pl.String).unique().sort().to_list()
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f", e.g. {', '.join(names[:_SHOWN])}{more}"
