"""Washing of texts, from the lines to the answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import polars as pl

from integration_assets.domain.addresses.washing import choosing, houses, roads, text
from integration_assets.domain.addresses.washing.candidates import candidates
from integration_assets.domain.addresses.washing.index import WashingIndex
from integration_assets.domain.addresses.washing.judging import judged
from integration_assets.domain.addresses.washing.rows import answered
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT, WASHED

_CHUNK: Final = 50_000


def wash(
    texts: pl.Series,
    index: WashingIndex,
    kind: str = UNIT,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> pl.DataFrame:
    """WASHED, one row per text, in the order of the texts; each distinct text is washed once.

    `kind` says whether texts mean unit addresses (`washed.UNIT`) or access addresses (`washed.ACCESS`). `workers`
    threads share the work; `progress` is told the number of distinct texts done so far. Raises ValueError for another
    kind.
    """
    if kind not in (UNIT, ACCESS):
        raise ValueError(f"Addresses can be washed as '{UNIT}' or '{ACCESS}', not as '{kind}'.")
    asked = texts.cast(pl.String).fill_null("").alias("text")
    distinct = asked.unique(maintain_order=True)
    pieces = [distinct.slice(start, _CHUNK) for start in range(0, len(distinct), _CHUNK)]
    done: list[pl.DataFrame] = []
    with ThreadPoolExecutor(workers) as pool:
        for piece in pool.map(partial(wash_distinct, index=index, kind=kind), pieces):
            done.append(piece)
            if progress is not None:
                progress(sum(map(len, done)))
    answers = pl.concat(done, rechunk=True) if done else pl.DataFrame(schema=WASHED)
    if len(distinct) == len(asked):
        return answers
    row = asked.to_frame().join(distinct.to_frame().with_row_index("row"), on="text", maintain_order="left")["row"]
    return answers[row]


def wash_distinct(texts: pl.Series, index: WashingIndex, kind: str) -> pl.DataFrame:
    """WASHED of distinct texts, by the calling thread alone."""
    lines = texts.to_frame("text").with_row_index("t")
    lines = lines.with_columns(text.normalized(pl.col("text")).alias("normalized"))
    zoned = roads.zones(text.parsed(lines), index)
    found = roads.roads(zoned, index)
    zoned, found = _with_later_numbers(lines, zoned, found, index)
    return washed_parsed(lines, zoned, found, index, kind).select(list(WASHED))


def _with_later_numbers(
    lines: pl.DataFrame, zoned: pl.DataFrame, found: pl.DataFrame, index: WashingIndex
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Where no street has the name before the first number, the name may hold a number itself, as others of the zone
    do."""
    more_numbers = pl.concat_str("floor", "door", "place", "surplus", ignore_nulls=True).str.contains(r"\d")
    unknown = zoned.filter(more_numbers & pl.col("zone").is_in(index.numbered_zones.implode()))
    unknown = unknown.join(found.filter(pl.col("edits") == 0), on="t", how="anti")
    rest = lines.join(unknown, on="t", how="semi", maintain_order="left")
    if rest.is_empty():
        return zoned, found
    other = roads.zones(text.parsed(rest, later_number=True), index)
    hits = roads.by_key(other, index)
    if hits.is_empty():
        return zoned, found
    replaced = other.join(hits, on="t", how="semi", maintain_order="left")
    kept = zoned.join(hits, on="t", how="anti", maintain_order="left")
    others = found.join(hits, on="t", how="anti", maintain_order="left")
    return pl.concat([kept, replaced]).sort("t"), pl.concat([others, hits])


def washed_parsed(
    lines: pl.DataFrame, zoned: pl.DataFrame, found: pl.DataFrame, index: WashingIndex, kind: str
) -> pl.DataFrame:
    """t and WASHED of lines (t, text, normalized) that are cut into fields (`roads.zones`) and have their streets
    (ROADS)."""
    at_house = houses.houses(found, zoned, index)
    best = best_hits(at_house, zoned, index, kind)
    left = choosing.chosen(best)
    answer = choosing.settled(left)
    answer = answer.join(_contradicted(answer, zoned, index, kind), on="t", how="anti", maintain_order="left")
    rest = zoned.join(answer, on="t", how="anti", maintain_order="left")
    certain_house = _certain_house(at_house, rest, index) if kind == UNIT else pl.DataFrame(schema={"t": pl.UInt32})
    several = best.join(rest, on="t", how="semi", maintain_order="left")
    proposed = candidates(several, at_house, found, rest, index, kind)
    ambiguous = left.filter(pl.len().over("t") > 1).select("t").unique()
    return answered(lines, zoned, answer, certain_house, proposed, ambiguous, index, kind)


def best_hits(at_house: pl.DataFrame, zoned: pl.DataFrame, index: WashingIndex, kind: str) -> pl.DataFrame:
    """The addresses at these houses (`houses.houses`) that fit in all that was typed, as `choosing.per_address`."""
    if kind == UNIT:
        return _best(houses.units(at_house, zoned, index), zoned, index, True)
    return _best(_access_only(at_house), zoned, index, False)


def _access_only(at_house: pl.DataFrame) -> pl.DataFrame:
    return at_house.with_columns(unit_row=pl.lit(None, pl.UInt32), as_door=pl.lit(False))


def _best(hits: pl.DataFrame, zoned: pl.DataFrame, index: WashingIndex, units: bool | None) -> pl.DataFrame:
    return choosing.per_address(choosing.with_versions(judged(hits, zoned, index, units), index))


def _certain_house(at_house: pl.DataFrame, rest: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """The access addresses of texts whose house is certain (A or B when floor and door are not looked at)."""
    rows = at_house.join(rest, on="t", how="semi", maintain_order="left")
    return choosing.settled(choosing.chosen(_best(_access_only(rows), rest, index, None)))


def _contradicted(answer: pl.DataFrame, zoned: pl.DataFrame, index: WashingIndex, kind: str) -> pl.DataFrame:
    """Texts (t) whose typed district has the address as well, under a name that needs no repair: where it is another
    district than that of the typed postal code, or where the street in the postal code was only found by repair."""
    district = index.places["district_zone"].gather(pl.Series(index.access.place[answer["access_row"].to_numpy()]))
    typed = answer.select("t", "edits", "difference.district", district.alias("own_district")).filter(
        (pl.col("difference.district") > 0) | (pl.col("edits") > 0)
    )
    other = zoned.join(typed, on="t", maintain_order="left").filter(
        pl.col("postcode").is_not_null() & ((pl.col("district_zone") != pl.col("own_district")) | (pl.col("edits") > 0))
    )
    if other.is_empty():
        return answer.select("t").clear()
    rows = other.select(zoned.columns)
    there = houses.houses(roads.by_key(rows.with_columns(zone=pl.col("district_zone")), index), rows, index)
    if kind == UNIT:
        there = houses.units(there, rows, index)
    return there.select("t").unique()
