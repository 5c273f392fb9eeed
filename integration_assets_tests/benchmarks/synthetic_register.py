"""A national address register of invented addresses, in the size and with the traps of the Danish one.

Real are the kinds of words only. The traps: the same road name in many districts, near-identical names within one
postal code (Lærkevej, Lærkevænget, Lerkevej), full and short names, roads of one name in two supplementary towns of one
postal code, renamed roads, closed addresses, houses without floors beside blocks of flats. The same seed gives the same
register.
"""

from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames

_STEMS_TEXT: Final = """
Lærke Bøge Ege Elme Birke Gran Fyrre Rønne Kirke Skole Mølle Bakke Eng Mark Skov Sø Strand Kilde Hede Høj Dal
Bæk Å Mose Kær Dam Holm Lund Krat Lyng Tjørne Hassel Hyben Rosen Tulipan Liljen Viol Syren Jasmin Ahorn Linde
Pile Poppel Aske Alme Kastanie Kirsebær Æble Pære Blomme Solsikke Valmue Kløver Havre Byg Rug Hvede Stærke
Solsorte Drossel Svale Spurve Vibe Måge Terne Due Falke Ørne Ugle Glente Fasan Agerhøne Rådyr Kronhjort Ræve
Grævlinge Hare Egern Odder Bæver Nørre Sønder Øster Vester Ny Gammel Lille Store Stations Jernbane Havne Torve
Fabriks Industri Smede Møller Bager Slagter Væver Fisker Bonde Præste Degne Kloster Slots Konge Dronning Prins
Grev Herregårds Gårds Hus Have Sand Ler Sten Grus Kalk Muslinge Rav Klit Fjord Bugt Ø Næs Odde Vig Sund Bro
Færge Fyr Anker Skibs Orlogs Nord Syd Øst Vest Sol Måne Stjerne Morgen Aften Sommer Vinter Forårs Efterårs Vind
Storm Regn Sne Is Ild
"""
_STEMS: Final = _STEMS_TEXT.split()
_ENDINGS_TEXT: Final = """
vej gade allé vænget stien parken bakken toften marken engen højen lunden svinget gården haven dalen krogen
stræde plads kæret holmen bjerget ageren
"""
_ENDINGS: Final = _ENDINGS_TEXT.split()
_FIRST_NAMES_TEXT: Final = """
Hans Jens Niels Peter Anders Søren Lars Rasmus Christian Frederik Knud Erik Valdemar Absalon Harald Svend Gorm
Olaf Anna Karen Marie Kirsten Margrethe Dagmar Ingeborg Thyra Sofie Charlotte Louise Amalie Emil Otto Carl
Vilhelm Johannes Thomas Paul Martin Viggo Poul Herman Georg Ludvig Holger Borgmester Doktor Provst Kaptajn
General Admiral
"""
_FIRST_NAMES: Final = _FIRST_NAMES_TEXT.split()
_LAST_NAMES_TEXT: Final = """
Tausens Jensens Nielsens Hansens Pedersens Andersens Christensens Larsens Sørensens Rasmussens Petersens Madsens
Kristensens Olsens Thomsens Poulsens Johansens Knudsens Mortensens Møllers Jakobsens Mikkelsens Holms Lunds
Schmidts Eriksens Clausens Simonsens Svendsens Andreasens Iversens Jeppesens Vestergaards Nissens Lauridsens
Bruuns Dahls Kochs Winthers Brandts Steffensens Bechs Hermansens Frederiksens Carlsens Winklers Bangs Krabbes
Rantzaus Brahes Rosenkrantz Gyldenstjernes Juels Trolles Bilds Griffenfelds Wessels Ewalds Holbergs
Oehlenschlægers Grundtvigs Aarestrups
"""
_LAST_NAMES: Final = _LAST_NAMES_TEXT.split()
_SYLLABLES_TEXT: Final = """
bram ming ris ørs ted has lev ting gad ul dals bjer nør skov bal ders brøn mag ten bøl knud strup gim smid ske
by løv hel sing vor da grin sted tår ning lem vig ger lyng hal ves ter ham drup rol lunde fre dens borg kol ding
val løse her fø
"""
_SYLLABLES: Final = _SYLLABLES_TEXT.split()
_PLACE_ENDINGS: Final = ("vej", "vej", "vej", "gade", "vejen", "parken", "bakken", "Byvej", "Landevej", "Strandvej")
_SHORT: Final = {"Borgmester": "Borgm", "Doktor": "Dr", "Kaptajn": "Kapt", "General": "Gen", "Christian": "Chr"}

_RENAMED_AT: Final = datetime(2011, 3, 1, tzinfo=UTC)
_DISTRICTS: Final = 1_089
_SHARED_DISTRICTS: Final = 120
"""Postal codes that share two names, as those of inner Copenhagen do."""


def synthetic_register(units: int = 4_000_000, seed: int = 20261121) -> RegisterFrames:
    """A register of about this many unit addresses, five eighths as many access addresses, one road per 32 units."""
    random = np.random.default_rng(seed)
    places, houses_per_place = _places(random, max(units // 32, 50))
    access = _access(random, places, houses_per_place, units * 5 // 8)
    return RegisterFrames(1, places.select(list(PLACES)), access.select(list(ACCESS)), _units(random, access, units))


def _road_names(random: np.random.Generator, count: int) -> list[str]:
    """Distinct names; the first ones are the common ones."""
    common = [stem + ending for ending in _ENDINGS for stem in _STEMS]
    random.shuffle(common)
    people = [
        f"{first} {last} {ending}"
        for first in _FIRST_NAMES
        for last in _LAST_NAMES
        for ending in ("Vej", "Gade", "Allé", "Plads")
    ]
    random.shuffle(people)
    local: list[str] = []
    while len(local) < count:
        lengths = random.integers(2, 4, size=count)
        for length in lengths:
            stem = "".join(random.choice(_SYLLABLES, size=length)).capitalize()
            ending = str(random.choice(_PLACE_ENDINGS))
            local.append(f"{stem} {ending}" if ending[0].isupper() else stem + ending)
    rest = people[: count // 4] + local
    return list(dict.fromkeys(common + rest))[: max(count, len(common))]


def _places(random: np.random.Generator, roads: int) -> tuple[pl.DataFrame, np.ndarray]:
    """PLACES with `successor` (the place that a renamed one became) and the weight of each in houses."""
    names = _road_names(random, roads)
    districts = max(min(_DISTRICTS, roads // 40), 2)
    codes = np.sort(random.choice(np.arange(1_000, 9_990), size=districts, replace=False))
    towns = ["".join(random.choice(_SYLLABLES, size=2)).capitalize() + "by" for _ in range(districts)]
    share = random.lognormal(0, 0.8, size=districts)
    district = np.sort(random.choice(districts, size=roads, p=share / share.sum()))
    is_common = random.random(roads) < 0.6
    common = len(_STEMS) * len(_ENDINGS)
    name = np.where(
        is_common, random.integers(0, common, roads), random.integers(common, max(len(names), common + 1), roads)
    )
    name = np.minimum(name, len(names) - 1)
    town_number = random.integers(0, 6, roads)
    shared = district < min(_SHARED_DISTRICTS, districts // 8)
    district_name = np.where(
        shared, np.where(district % 2 == 0, "København K", "København V"), np.array(towns)[district]
    )
    frame = pl.DataFrame(
        {
            "road_id": [f"road-{number}" for number in range(roads)],
            "street_name": np.array(names)[name],
            "municipality_code": np.char.zfill((101 + district % 98).astype(str), 4),
            "postcode": codes[district].astype(str),
            "district": district_name,
            "supplementary_town": [
                f"{towns[(number * 7 + town) % districts]}" if town < 2 else None
                for number, town in zip(district.tolist(), town_number.tolist(), strict=True)
            ],
        }
    ).unique(["street_name", "postcode", "supplementary_town"], keep="first", maintain_order=True)
    short = pl.col("street_name")
    for word, abbreviation in _SHORT.items():
        short = short.str.replace(f"^{word} ", f"{abbreviation} ")
    frame = frame.with_columns(
        pl.when(short != pl.col("street_name")).then(short).otherwise("street_name").alias("short_street_name"),
        pl.int_range(pl.len()).over("municipality_code").add(1).cast(pl.String).str.zfill(4).alias("street_code"),
        pl.lit(False).alias("large_receiver"),
        pl.lit(None, pl.Datetime("us", "UTC")).alias("valid_from"),
        pl.lit(None, pl.Datetime("us", "UTC")).alias("valid_to"),
    )
    frame = frame.with_row_index("place").with_columns(pl.lit(None, pl.UInt32).alias("successor"))
    former = frame.filter(pl.col("place") % 100 == 7).with_columns(
        (pl.col("street_name").str.replace(r"(vej|gade|allé)$", "") + "s Gyde").alias("street_name"),
        pl.col("place").alias("successor"),
        pl.lit(_RENAMED_AT).alias("valid_to"),
    )
    former = former.with_columns(
        pl.col("street_name").alias("short_street_name"),
        (pl.int_range(pl.len(), dtype=pl.UInt32) + frame.height).alias("place"),
    )
    renamed = frame.with_columns(
        pl.when(pl.col("place") % 100 == 7).then(pl.lit(_RENAMED_AT)).otherwise("valid_from").alias("valid_from")
    )
    both = pl.concat([renamed, former.select(renamed.columns)])
    return both, random.lognormal(0, 0.9, size=frame.height)


def _ids(random: np.random.Generator, count: int) -> tuple[pl.Series, pl.Series]:
    halves = random.integers(0, np.iinfo(np.uint64).max, size=(2, count), dtype=np.uint64)
    return pl.Series("id_high", halves[0]), pl.Series("id_low", halves[1])


def _access(random: np.random.Generator, places: pl.DataFrame, weight: np.ndarray, count: int) -> pl.DataFrame:
    per_place = np.minimum(np.maximum((weight / weight.sum() * count).round().astype(np.int64), 1), 900)
    place = np.repeat(np.arange(len(per_place)), per_place)
    order = np.arange(len(place)) - np.repeat(np.cumsum(per_place) - per_place, per_place)
    # Every eighth number is followed by its "A" and "B" instead of by the next number.
    number, letter = order // 10 * 8 + np.minimum(order % 10, 7) + 1, np.maximum(order % 10 - 7, 0)
    high, low = _ids(random, len(place))
    closed = random.random(len(place)) < 0.02
    frame = pl.DataFrame({"place": place.astype(np.uint32), "number": number, "letter": letter}).with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("access"),
        (pl.col("number").cast(pl.String) + pl.col("letter").replace_strict({0: "", 1: "A", 2: "B"})).alias(
            "house_number"
        ),
        high,
        low,
        pl.Series("status", np.where(closed, 4, 3), dtype=pl.UInt8),
        pl.Series("easting", random.uniform(450_000, 720_000, len(place)).round(2)),
        pl.Series("northing", random.uniform(6_080_000, 6_390_000, len(place)).round(2)),
        pl.lit(datetime(2000, 2, 5, tzinfo=UTC)).alias("valid_from").cast(pl.Datetime("us", "UTC")),
        pl.lit(None, pl.Datetime("us", "UTC")).alias("valid_to"),
    )
    former = places.filter(pl.col("successor").is_not_null()).select(pl.col("place").alias("former"), place="successor")
    old = frame.join(former, on="place").with_columns(
        pl.col("former").alias("place"), pl.lit(_RENAMED_AT).alias("valid_to"), pl.lit(3, pl.UInt8).alias("status")
    )
    renamed = pl.col("place").is_in(former["place"].implode())
    now = frame.with_columns(pl.when(renamed).then(pl.lit(_RENAMED_AT)).otherwise("valid_from").alias("valid_from"))
    return pl.concat([now, old.select(now.columns)]).sort("place", "number", "letter")


def _units(random: np.random.Generator, access: pl.DataFrame, count: int) -> pl.DataFrame:
    """One unit without floor in most houses; flats on each floor, left and right (and in the middle), in the others."""
    houses = access.unique("access", keep="first").sort("access").select("access", "status")
    blocks = random.random(houses.height) < 0.15
    floors = np.where(blocks, random.integers(2, 7, houses.height), 0)
    doors = np.where(blocks, random.choice([1, 2, 2, 3], houses.height), 1)
    flats = np.where(blocks, floors * doors, 1)
    wanted = np.maximum((flats * (count / flats.sum())).round().astype(np.int64), 1)
    flats = np.where(blocks, np.minimum(wanted, flats), 1)
    row = np.repeat(np.arange(houses.height), flats)
    order = np.arange(len(row)) - np.repeat(np.cumsum(flats) - flats, flats)
    floor = np.where(blocks[row], order // doors[row], -1)
    door = np.where(blocks[row] & (doors[row] > 1), order % doors[row], -1)
    high, low = _ids(random, len(row))
    frame = pl.DataFrame(
        {
            "access": houses["access"].to_numpy()[row],
            "floor": pl.Series(floor).replace_strict(
                {-1: None, 0: "st"} | {n: str(n) for n in range(1, 8)}, return_dtype=pl.String
            ),
            "door": pl.Series(door).replace_strict({-1: None, 0: "tv", 1: "th", 2: "mf"}, return_dtype=pl.String),
            "status": houses["status"].to_numpy()[row],
        }
    ).with_columns(
        high,
        low,
        pl.lit(datetime(2000, 2, 5, tzinfo=UTC)).alias("valid_from").cast(pl.Datetime("us", "UTC")),
        pl.lit(None, pl.Datetime("us", "UTC")).alias("valid_to"),
    )
    return frame.select(list(UNITS))
