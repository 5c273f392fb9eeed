"""DAWA's datavask answer, from a row of WASHED: for those who know that service and those that spoke to it."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from integration_assets.domain.addresses.washing.washed import ACCESS

_DAWA_STATUS: Final = {2: 3, 3: 1, 4: 2, 5: 4}
"""DAWA's status by DAR's: 1 final, 3 provisional, 2 closed, 4 abandoned."""

_HREF: Final = "https://api.dataforsyningen.dk"

_NAMES: Final = {
    "street": "vejnavn",
    "house_number": "husnr",
    "supplementary_town": "supplerendebynavn",
    "postcode": "postnr",
    "district": "postnrnavn",
    "floor": "etage",
    "door": "dør",
}

_WORDS: Final = ("street", "supplementary_town", "district")


def datavask_answer(row: Mapping[str, Any], kind: str = "unit", base_url: str = _HREF) -> dict[str, Any]:
    """The JSON object of ``/datavask/adresser`` (`kind` unit) or ``/datavask/adgangsadresser`` (`kind` access).

    `row` is one of WASHED, as `DataFrame.iter_rows(named=True)` gives it. An answer of A or B has one result, C has the
    candidates. Statuses are DAWA's, links begin with `base_url`.
    """
    hits = [row] if row["category"] != "C" else row["candidates"]
    return {
        "kategori": row["category"],
        "resultater": [_result(hit, row, kind, base_url) for hit in hits],
    }


def _result(hit: Mapping[str, Any], row: Mapping[str, Any], kind: str, base_url: str) -> dict[str, Any]:
    receiver = row["large_receiver_postcode"]
    matched = hit["matched"]
    variant = {name: matched.get(field) for field, name in _fields(kind).items() if field != "street"}
    variant = {"vejnavn": _typed_name(matched, row)} | variant
    used = {"nr": receiver, "navn": row["large_receiver_district"]} if receiver is not None else None
    if used is not None:
        variant |= {"postnr": used["nr"], "postnrnavn": used["navn"]}
    parsed = {
        name: _as_typed(row["parsed"][field], row["text"], last=field == "district")
        if field in _WORDS
        else row["parsed"][field]
        for field, name in _fields(kind).items()
        if row["parsed"][field] is not None
    }
    return {
        "adresse": _address(hit, matched, kind),
        "aktueladresse": _address(hit, hit["current"], kind)
        | {"href": f"{base_url}/{'adgangsadresser' if kind == ACCESS else 'adresser'}/{_id(hit, kind)}"},
        "vaskeresultat": {
            "variant": variant,
            "afstand": hit["distance"],
            "forskelle": _differences(hit, row, kind),
            "parsetadresse": parsed,
            "ukendtetokens": [_as_typed(token, row["text"]) for token in hit["unknown_tokens"]],
            "anvendtstormodtagerpostnummer": used,
        },
    }


def _as_typed(plain: str, text: str, *, last: bool = False) -> str:
    """The words as they stand in the text, with its capitals, dots and commas; as they are where they stand nowhere."""
    words = r"[\W_]+".join(map(re.escape, plain.split(" ")))
    pattern = rf"(?<!\w){words}(?!\w)"
    found = [match.group() for match in re.finditer(pattern, unicodedata.normalize("NFC", text), re.IGNORECASE)]
    return found[-1 if last else 0] if found else plain


def _fields(kind: str) -> dict[str, str]:
    return {field: name for field, name in _NAMES.items() if kind != ACCESS or field not in ("floor", "door")}


def _id(hit: Mapping[str, Any], kind: str) -> str:
    return hit["access_id"] if kind == ACCESS else hit["unit_id"]


def _typed_name(matched: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The one of the two street names that was typed."""
    short = matched["short_street_name"]
    typed = (row["parsed"]["street"] or "").lower()
    return short if short is not None and short.lower() == typed else matched["street_name"]


def _differences(hit: Mapping[str, Any], row: Mapping[str, Any], kind: str) -> dict[str, int]:
    """A supplementary town that was not typed is no difference and is left out."""
    left_out = () if row["parsed"]["supplementary_town"] is not None else ("supplementary_town",)
    return {name: hit["differences"][field] for field, name in _fields(kind).items() if field not in left_out}


def _address(hit: Mapping[str, Any], version: Mapping[str, Any], kind: str) -> dict[str, Any]:
    address = {
        "id": _id(hit, kind),
        "vejnavn": version["street_name"],
        "adresseringsvejnavn": version["short_street_name"],
        "husnr": version["house_number"],
        "supplerendebynavn": version["supplementary_town"],
        "postnr": version["postcode"],
        "postnrnavn": version["district"],
        "status": _DAWA_STATUS.get(version["status"]),
        "virkningstart": _time(version["valid_from"]),
        "virkningslut": _time(version["valid_to"]),
    }
    if kind == ACCESS:
        return address
    return address | {"adgangsadresseid": hit["access_id"], "etage": version["floor"], "dør": version["door"]}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
