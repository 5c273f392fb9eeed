"""Address lines as people type them, with the errors they make, and the id that each means."""

from typing import Final

import numpy as np
import polars as pl

from integration_assets.domain.addresses.washing import WashingIndex, answers
from integration_assets.domain.addresses.washing.index import END

KINDS: Final = (
    "insert", "delete", "swap", "join", "split", "abbreviation", "missing postcode", "wrong postcode", "missing floor",
)  # fmt: skip

_ALPHABET: Final = "abcdefghijklmnoprstuvyæøå"
_ABBREVIATIONS: Final = {
    "vej": "vj", "gade": "gd.", "allé": "alle", "Allé": "Alle", "Gade": "Gd.", "Gammel": "Gl.", "Nørre": "Nr.",
    "Store": "St.", "Sønder": "Sdr.", "Borgmester": "Borgm.", "Christian": "Chr.", "Doktor": "Dr.", "æ": "ae", "ø":
    "oe", "å": "aa", }  # fmt: skip


def labelled_texts(index: WashingIndex, count: int, dirty: float, seed: int) -> pl.DataFrame:
    """text, expected (unit id) and kind (one of KINDS, or "clean") of `count` addresses that exist; the share `dirty`
    of them has one error. Where an error of the drawn kind is impossible (no floor to leave out, one word only),
    another one is made."""
    random = np.random.default_rng(seed)
    rows = index.units
    alive = np.flatnonzero((rows.valid_to == END) & (rows.status == 3))
    drawn = np.sort(random.choice(alive, size=count))
    access = index.access.last[rows.unit[drawn] >> 28]
    frame = answers.addresses(access, drawn, None, index).select(
        "street_name", "house_number", "floor", "door", "supplementary_town", "postcode", "district",
        pl.Series("expected", answers.uuids(rows.id_high[drawn], rows.id_low[drawn])),
    )  # fmt: skip
    codes = index.places["postcode"].unique().sort().to_list()
    lines: list[str] = []
    kinds: list[str] = []
    for row in frame.iter_rows(named=True):
        drawn_kinds = ["clean"] if random.random() >= dirty else [str(kind) for kind in random.permutation(KINDS)]
        kind, made = next(
            (kind, made) for kind in drawn_kinds if (made := _damaged(row, kind, random, codes)) is not None
        )
        kinds.append(kind)
        lines.append(_line(made, random))
    order = random.permutation(count)
    labelled = frame.select("expected").with_columns(pl.Series("text", lines), pl.Series("kind", kinds))
    return labelled[order]


def _line(row: dict[str, str | None], random: np.random.Generator) -> str:
    town = row["supplementary_town"] if random.random() < 0.5 else None
    floor = f"{row['floor']}." if row["floor"] else None
    unit = " ".join(part for part in (floor, row["door"]) if part)
    district = " ".join(part for part in (row["postcode"], row["district"]) if part)
    return ", ".join(part for part in (f"{row['street_name']} {row['house_number']}", unit, town, district) if part)


def _damaged(
    row: dict[str, str | None], kind: str, random: np.random.Generator, codes: list[str]
) -> dict[str, str | None] | None:
    """The row with one error of the kind; None where that is impossible."""
    street = row["street_name"] or ""
    at = int(random.integers(1, len(street)))
    letter = _ALPHABET[int(random.integers(len(_ALPHABET)))]
    if kind == "clean":
        return row
    if kind == "missing postcode":
        return row | {"postcode": None}
    if kind == "wrong postcode":
        other = codes[int(random.integers(len(codes)))]
        return row | {"postcode": other} if other != row["postcode"] else None
    if kind == "missing floor":
        return row | {"floor": None, "door": None} if row["floor"] else None
    if kind == "insert":
        return row | {"street_name": street[:at] + letter + street[at:]}
    if kind == "delete":
        return row | {"street_name": street[:at] + street[at + 1 :]}
    if kind == "split":
        return row | {"street_name": f"{street[:at]} {street[at:]}"} if " " not in street[at - 1 : at + 1] else None
    if kind == "join":
        return row | {"street_name": street.replace(" ", "", 1)} if " " in street else None
    if kind == "swap":
        swapped = street[: at - 1] + street[at] + street[at - 1] + street[at + 1 :]
        return row | {"street_name": swapped} if swapped.lower() != street.lower() else None
    long = [word for word in _ABBREVIATIONS if word in street]
    if not long:
        return None
    word = long[int(random.integers(len(long)))]
    return row | {"street_name": street.replace(word, _ABBREVIATIONS[word])}
