"""Adressevask and the look-ups of Adressevælger, the services that took DAWA's place, in the shape clients have seen.

Belongs here: one answer or none to a typed address, with a code; addresses by their ids; the token. The service has
no official table of codes; those here are the ones that several clients report. Like the original it breaks down when
more than sixteen requests are under way at once. Its way of reading an address is its own, not that of `dawa`.
"""

import asyncio
import json
import re
import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from rapidfuzz.distance import OSA
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from integration_assets.sandbox.dawa_register import DawaRegister, Snapshot
from integration_assets.sandbox.dawa_words import found_by, words
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions

Json = dict[str, Any]

PARALLEL = 16
SHORTEST_TOKEN = 10
MOST_IDS = 300
# Where the original draws the line is not published.
LONGEST_TEXT = 200
_SERVICE_TIME_S = 0.01
_REPAIRED_LETTERS = 2
_EXISTING = (2, 3)

_TEXTS = {
    1000: "Eksakt match på vejnavn, husnummer og postnummer",
    900: "Vejnavn tilnærmet ift. stavevariationer. Eksakt husnummer og postnummer",
    800: "Første husnummer i interval",
    700: "Sidste husnummer i interval",
    -300: "Postnummer mangler",
    -500: "Sidedør findes ikke på husnummer",
    -600: "Etage findes ikke på husnummer",
    -700: "Husnummer findes ikke på vejen",
    -800: "Vejnavn findes ikke i postnummer",
    -1000: "Tekst kan ikke genkendes som en adresse",
}
_FLOOR = re.compile(r"^(?P<floor>\d{1,2}|st|kl|k[2-9])\b\.?(?:\s*sal)?[\s,.]*(?P<door>[\wæøå]{1,4})?$", re.IGNORECASE)
_ADDRESS = re.compile(
    r"^(?P<road>\D*?[^\W\d].*?)\s+0*(?P<number>\d{1,3})\s?(?P<letter>[a-zæøå])?(?:-(?P<last>\d{1,3}))?"
    r"(?![\w-])[\s,.]*(?P<middle>.*?)[\s,]*(?P<postcode>\b\d{4}\b)(?P<district>\D*)$",
    re.IGNORECASE,
)


class _Hit(NamedTuple):
    """A code, and the row of the unit address that it speaks of."""

    code: int
    unit: Json | None = None


@dataclass(frozen=True)
class _Roads:
    """The units of a snapshot, by postcode, road name and house number."""

    houses: dict[str, dict[str, dict[str, list[Json]]]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "_Roads":
        houses: dict[str, dict[str, dict[str, list[Json]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )
        for unit in snapshot.units.values():
            for name in {unit["vejnavn"], unit["adresseringsvejnavn"]}:
                houses[unit["postnr"]][name.casefold()][unit["husnr"]].append(unit)
        return cls(houses)


def build(store: Store, options: SandboxOptions) -> Starlette:
    """The application, answering from `register:unit` and `register:access`."""
    service = _Service(DawaRegister(store), options)
    return Starlette(
        routes=[
            Route("/vask/", service.guarded(service.wash), methods=["GET"]),
            Route("/adresser", service.guarded(service.units), methods=["GET"]),
            Route("/adresser/{id}", service.guarded(service.unit), methods=["GET"]),
            Route("/husnumre", service.guarded(service.houses), methods=["GET"]),
            Route("/husnumre/{id}", service.guarded(service.house), methods=["GET"]),
        ]
    )


def settings(url: str, options: SandboxOptions) -> dict[str, str]:
    """The product settings that lead here, with the token."""
    return {"adressevask_url": url, "adressevask_token": options.settings.get("adressevask_token", "")}


class _Service:
    """The answers, over the register as it stands."""

    def __init__(self, register: DawaRegister, options: SandboxOptions) -> None:
        self._register = register
        self._options = options
        self._open = 0
        self._snapshot: Snapshot | None = None
        self._roads = _Roads({})

    def guarded(self, answer: Callable[[Request], Response]) -> Any:
        """The handler of a path: checks the token and counts the requests under way."""

        async def handle(request: Request) -> Response:
            request.state.kind = "lookup"
            if not self._admitted(request.query_params.get("token", "")):
                return _json({"status": "fejl", "beskrivelse": "token mangler eller er ukendt"}, 401)
            self._open += 1
            try:
                await asyncio.sleep(_SERVICE_TIME_S)
                if self._open > PARALLEL:
                    return _json({"status": "fejl", "beskrivelse": "overbelastet"}, 503)
                return answer(request)
            finally:
                self._open -= 1

        return handle

    def _admitted(self, token: str) -> bool:
        """Whether a token will do: the sandbox's own one, or any of ten characters where it has made none up."""
        own = self._options.settings.get("adressevask_token", "")
        return secrets.compare_digest(token.encode(), own.encode()) if own else len(token) >= SHORTEST_TOKEN

    def wash(self, request: Request) -> Response:
        """`/vask/?adresse=`: the one address that is meant, or none, and why."""
        text = request.query_params.get("adresse", "").strip()
        if not text or len(text) > LONGEST_TEXT:
            return _json({"status": "fejl", "beskrivelse": "adresse mangler eller er for lang"}, 400)
        hit = _Hit(self._options.adressevask_codes.get(text) or 0)
        if not hit.code:
            snapshot = self._register.current()
            if snapshot is not self._snapshot:
                self._snapshot, self._roads = snapshot, _Roads.of(snapshot)
            hit = _meant(self._roads, text)
        return _json(_washed(hit))

    def units(self, request: Request) -> Response:
        """`/adresser?id_lokalids=`: unit addresses that exist, by ids between commas."""
        return self._several(request, "adresser", self._register.current().units, self._unit_json)

    def houses(self, request: Request) -> Response:
        """`/husnumre?id_lokalids=`: access addresses that exist, by ids between commas."""
        return self._several(request, "husnumre", self._register.current().access, _house_json)

    def unit(self, request: Request) -> Response:
        """`/adresser/{id}`: a unit address that exists."""
        return self._single(request, "adresse", self._register.current().units, self._unit_json)

    def house(self, request: Request) -> Response:
        """`/husnumre/{id}`: an access address that exists."""
        return self._single(request, "husnummer", self._register.current().access, _house_json)

    def _unit_json(self, unit: Json) -> Json:
        return {
            "id_lokalid": unit["id"],
            "adressebetegnelse": _designation(unit),
            "etagebetegnelse": unit["etage"],
            "doerbetegnelse": unit["dør"],
            "status": str(unit["darstatus"]),
            "husnummer": _house_json(self._register.current().access[unit["adgangsadresseid"]]),
        }

    @staticmethod
    def _several(request: Request, name: str, rows: dict[str, Json], shape: Callable[[Json], Json]) -> Response:
        ids = [part for part in request.query_params.get("id_lokalids", "").split(",") if part]
        if len(ids) > MOST_IDS:
            return Response(status_code=431)
        found = [rows[wanted] for wanted in ids if wanted in rows and rows[wanted]["darstatus"] in _EXISTING]
        return _json({"status": "ok", name: [shape(row) for row in found]})

    @staticmethod
    def _single(request: Request, name: str, rows: dict[str, Json], shape: Callable[[Json], Json]) -> Response:
        row = rows.get(request.path_params["id"])
        if row is None or row["darstatus"] not in _EXISTING:
            return _json({"status": "fejl", "beskrivelse": "findes ikke"}, 404)
        return _json({"status": "ok", name: shape(row)})


def _meant(roads: _Roads, text: str) -> _Hit:
    if not re.search(r"\b\d{4}\b", text):
        return _Hit(-300 if re.search(r"[^\W\d]{2}.*\d", text) else -1000)
    parts = _ADDRESS.match(text)
    if parts is None:
        return _Hit(-1000)
    code, houses = _road(roads.houses.get(parts["postcode"], {}), parts["road"])
    if houses is None:
        return _Hit(-800)
    number, last = parts["number"] + (parts["letter"] or "").upper(), parts["last"]
    if last is not None:
        for interval_code, wanted in ((800, number), (700, last)):
            if wanted in houses:
                return _Hit(interval_code, _in_house(houses[wanted], "")[1])
        return _Hit(-700)
    if number not in houses:
        return _Hit(-700)
    failure, unit = _in_house(houses[number], parts["middle"])
    return _Hit(failure) if unit is None else _Hit(code, unit)


def _road(known: dict[str, dict[str, list[Json]]], typed: str) -> tuple[int, dict[str, list[Json]] | None]:
    """1000 and the houses of the road of that name, or 900 and those of the only one that sounds or is spelt alike."""
    name = typed.strip(" ,.").casefold()
    if name in known:
        return 1000, known[name]
    folded = _sound(name)
    alike = [road for road in known if _sound(road) == folded]
    alike = alike or [road for road in known if OSA.distance(road, name) <= _REPAIRED_LETTERS]
    return (900, known[alike[0]]) if len(alike) == 1 else (-800, None)


def _sound(name: str) -> tuple[str, ...]:
    return tuple(min(found_by(word)) for word in words(name))


def _in_house(units: list[Json], typed: str) -> tuple[int, Json | None]:
    """The unit on the typed floor and at the typed door, current ones before closed ones; or why there is none."""
    # A supplementary town stands between house number and postcode as well: the last part that reads as a floor counts.
    reading = next((m for part in reversed(typed.split(", ")) if (m := _FLOOR.match(part.strip(" ,.")))), None)
    floor = None if reading is None else reading["floor"].lower().lstrip("0")
    door = None if reading is None or not reading["door"] else reading["door"].lower().lstrip("0")
    on_floor = [unit for unit in units if unit["etage"] == floor]
    if not on_floor:
        return -600, None
    meant = sorted((u for u in on_floor if u["dør"] == door), key=lambda unit: unit["darstatus"] not in _EXISTING)
    return (0, meant[0]) if meant else (-500, None)


def _designation(unit: Json) -> str:
    floor, door = unit["etage"], unit["dør"]
    where = " ".join(part for part in (f"{floor}." if floor else "", door) if part)
    house = f"{unit['vejnavn']} {unit['husnr']}"
    parts = (house, where, unit["supplerendebynavn"], f"{unit['postnr']} {unit['postnrnavn']}")
    return ", ".join(part for part in parts if part)


def _washed(hit: _Hit) -> Json:
    unit = hit.unit
    return {
        "vaskestatus": {"kode": hit.code, "tekst": _TEXTS.get(hit.code, "Ukendt vaskestatus")},
        "vaskeresultat": {
            "adresse_id_lokalid": None if unit is None else unit["id"],
            "adressebetegnelse": None if unit is None else _designation(unit),
            # A number here, a text in the look-ups.
            "status": None if unit is None else unit["darstatus"],
        },
        "vaskeresultat_historisk": {"adressebetegnelse": None, "virkningfra": None, "virkningtil": None},
    }


def _house_json(row: Json) -> Json:
    return {
        "id_lokalid": row["id"],
        "husnummertekst": row["husnr"],
        "vejnavn": row["vejnavn"],
        "status": str(row["darstatus"]),
        "adgangspunkt": {"koordinater": {"x": row["etrs89koordinat_øst"], "y": row["etrs89koordinat_nord"]}},
        "postnummer": {"postnr": row["postnr"], "navn": row["postnrnavn"]},
        "navngivenvejkommunedel": {"kommune": row["kommunekode"], "vejkode": row["vejkode"]},
    }


def _json(content: Any, status: int = 200) -> Response:
    return Response(
        json.dumps(content, ensure_ascii=False), status_code=status, media_type="application/json; charset=UTF-8"
    )
