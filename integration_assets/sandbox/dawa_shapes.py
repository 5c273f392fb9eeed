"""The three shapes in which DAWA shows an address (`struktur`): mini, flad and nestet.

Of the nested shape only what the sandbox knows: no parish, parcel, zone or other area.
"""

from typing import Any

from integration_assets.sandbox.dawa_alignment import address_text
from integration_assets.sandbox.dawa_register import SINCE

Json = dict[str, Any]

_MINI = (
    "id", "status", "darstatus", "vejkode", "vejnavn", "adresseringsvejnavn", "husnr", "supplerendebynavn", "postnr",
    "postnrnavn", "stormodtagerpostnr", "stormodtagerpostnrnavn", "kommunekode",
)  # fmt: skip


def shown(row: Json, structure: str, srid: int, root: str) -> Json:
    """A row of the register in one of the shapes; `root` is the address of the service, for links."""
    return {"mini": _mini, "flad": _flat, "nestet": _nested}[structure](row, srid, root)


def link(row: Json, root: str) -> str:
    """Where one address is found."""
    return f"{root}/{'adresser' if 'adgangsadresseid' in row else 'adgangsadresser'}/{row['id']}"


def _position(row: Json, srid: int) -> tuple[float, float]:
    if srid == 4326:
        return row["wgs84koordinat_længde"], row["wgs84koordinat_bredde"]
    return row["etrs89koordinat_øst"], row["etrs89koordinat_nord"]


def _mini(row: Json, srid: int, root: str) -> Json:
    x, y = _position(row, srid)
    own = {name: row[name] for name in ("adgangsadresseid", "etage", "dør") if name in row}
    common = {name: row[name] for name in _MINI}
    return {**common, "x": x, "y": y, **own, "href": link(row, root), "betegnelse": address_text(row)}


def _flat(row: Json, _srid: int, _root: str) -> Json:
    return {**row, "oprettet": SINCE, "ændret": SINCE, "ikrafttrædelse": SINCE, "nedlagt": None}


def _nested(row: Json, srid: int, root: str) -> Json:
    if "adgangsadresseid" not in row:
        return _nested_access(row, srid, root)
    access = {
        **row,
        "id": row["adgangsadresseid"],
        "status": row["adgangsadresse_status"],
        "darstatus": row["adgangsadresse_darstatus"],
        "etage": None,
        "dør": None,
    }
    del access["adgangsadresseid"]
    return {
        "id": row["id"],
        "kvhx": row["kvhx"],
        "status": row["status"],
        "darstatus": row["darstatus"],
        "href": link(row, root),
        "historik": _history(),
        "etage": row["etage"],
        "dør": row["dør"],
        "adressebetegnelse": address_text(row),
        "adgangsadresse": _nested_access(access, srid, root),
    }


def _nested_access(row: Json, srid: int, root: str) -> Json:
    receiver = row["stormodtagerpostnr"]
    return {
        "href": link(row, root),
        "id": row["id"],
        "kvh": row["kvh"],
        "status": row["status"],
        "darstatus": row["darstatus"],
        "vejstykke": {
            "href": f"{root}/vejstykker/{int(row['kommunekode'])}/{int(row['vejkode'])}",
            "navn": row["vejnavn"],
            "adresseringsnavn": row["adresseringsvejnavn"],
            "kode": row["vejkode"],
        },
        "navngivenvej": {"href": f"{root}/navngivneveje/{row['navngivenvej_id']}", "id": row["navngivenvej_id"]},
        "husnr": row["husnr"],
        "supplerendebynavn": row["supplerendebynavn"],
        "postnummer": {
            "href": f"{root}/postnumre/{row['postnr']}",
            "nr": row["postnr"],
            "navn": row["postnrnavn"],
        },
        "stormodtagerpostnummer": (
            {"href": f"{root}/postnumre/{receiver}", "nr": receiver, "navn": row["stormodtagerpostnrnavn"]}
            if receiver
            else None
        ),
        "kommune": {"href": f"{root}/kommuner/{row['kommunekode']}", "kode": row["kommunekode"]},
        "historik": _history(),
        "adgangspunkt": {"koordinater": list(_position(row, srid))},
        "adressebetegnelse": address_text(row),
    }


def _history() -> Json:
    return {"oprettet": SINCE, "ændret": SINCE, "ikrafttrædelse": SINCE, "nedlagt": None}
