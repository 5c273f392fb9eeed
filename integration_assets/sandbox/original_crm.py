"""AVA's first integration in small, in Dynamics: a CRM that was filled before us, with its faults and people's work.

Its rows have ids of their own. It knew what it had written by a map that was lost more than once, so some rows stand
there twice; what changed later it often did not hear of. People in the CRM added what only they know, another system
(waste) keeps its rows beside ours.

Works from the truth of a town over HTTP, with no code of the product.
"""

import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

Json = dict[str, Any]

_HEAT, _WASTE = 915240001, 915240000
_NEVER_EXPORTED: Final = 0.1
"""Share of the parties and relations that the first integration never brought over."""
_OPEN_END: Final = "9999-12-31"
_FIRST, _LAST = 150, 100
_AT_ONCE: Final = 500
_SETTLING_S: Final = 1.1
"""Moments of creation are kept in seconds."""


@dataclass
class PlantedRows:
    """What stands in the CRM before us, by ids of its own.

    `ours`: rows that stand for something of ours, and are the ones to be taken: (entity set, id). `left`: further rows
    for the same, `strangers`: rows of nobody of ours; nobody may touch either. `kept`: what people wrote into rows of
    ours: (entity set, id, column, value). `addresses`: the register's address by the id of its row. `emails`: primary
    e-mail addresses that people wrote, by the party's number. `stale`: rows of ours that say something old.
    """

    ours: set[tuple[str, str]] = field(default_factory=set)
    left: set[tuple[str, str]] = field(default_factory=set)
    strangers: set[tuple[str, str]] = field(default_factory=set)
    kept: list[tuple[str, str, str, Any]] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    stale: set[tuple[str, str]] = field(default_factory=set)

    def __repr__(self) -> str:
        """Without its content: it holds the numbers of parties."""
        return f"PlantedRows({len(self.ours)} of ours, {len(self.left)} left, {len(self.strangers)} strangers)"


def fill(settings: Mapping[str, str], truth: Mapping[str, Any], seed: int = 1) -> PlantedRows:
    """Fill an empty CRM as the first integration left it. `settings` are the product's that lead to it.

    Raises httpx.HTTPError where the CRM does not take a row.
    """
    with httpx.Client(base_url=f"{settings['crm_url'].rstrip('/')}/api/data/v9.2/", timeout=60) as client:
        form = {
            "grant_type": "client_credentials",
            "client_id": settings["crm_client_id"],
            "client_secret": settings["crm_client_secret"],
            "scope": settings["crm_scope"],
        }
        token = client.post(settings["crm_token_url"], data=form).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return _Agent(client, truth, random.Random(f"original crm {seed}")).run()


class _Agent:
    def __init__(self, client: httpx.Client, truth: Mapping[str, Any], draw: random.Random) -> None:
        self._client = client
        self._truth = truth
        self._draw = draw
        self._planted = PlantedRows()
        self._addresses: dict[str, str] = {}
        self._contacts: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        self._waiting: dict[str, list[Json]] = {}

    def run(self) -> PlantedRows:
        """All rows in the order in which they point at each other, the copies last: they are younger."""
        for number, (address_id, address) in enumerate(self._truth["addresses"].items()):
            self._addresses[address_id] = self._ours("ava_adresses", _address(address, number))
            self._planted.addresses[self._addresses[address_id]] = address_id
        self._flush()
        for number, contact in self._chosen("contacts"):
            self._contact(number, contact)
        for number, account in self._chosen("accounts"):
            self._account(number, account)
        self._flush()
        self._roles()
        agreements = {number: self._agreement(number) for number in self._accounts}
        self._flush()
        self._links(agreements)
        for number, installation in self._truth["installations"].items():
            self._installation(number, installation, agreements)
        self._strangers()
        self._flush()
        time.sleep(_SETTLING_S)
        self._copies(agreements)
        self._flush()
        return self._planted

    def _chosen(self, kind: str) -> list[tuple[str, Json]]:
        return [(key, one) for key, one in self._truth[kind].items() if self._draw.random() >= _NEVER_EXPORTED]

    def _contact(self, number: str, contact: Json) -> None:
        company = contact["kind"] == "company"
        # People typed numbers with a hyphen, too.
        shown = number if company or self._draw.random() < 0.5 else f"{number[:6]}-{number[6:]}"
        row: Json = {
            "firstname": ((contact["name"] if company else contact["first_name"]) or "")[:_FIRST] or None,
            "lastname": (contact["last_name"] or "")[:_LAST] or None,
            "ava_cvr_nummer" if company else "ava_cpr_nummer": shown,
            "ava_kmdeemasterid": contact["master_id"],
            "ava_mobilkmdee": "10000000",
            "telephone1": f"86{self._draw.randrange(10**6):06}",
            "ava_modtag_sms_notifikation": True,
            **_bound("ava_adresse", "ava_adresses", self._addresses.get(contact["shown_address_id"] or "")),
        }
        if self._draw.random() < 0.3:
            row["emailaddress1"] = self._planted.emails[number] = f"egen{self._draw.randrange(10**6)}@example.dk"
        row_id = self._contacts[number] = self._ours("contacts", row)
        names = ("telephone1", "ava_modtag_sms_notifikation", *(("emailaddress1",) if "emailaddress1" in row else ()))
        self._planted.kept += [("contacts", row_id, name, row[name]) for name in names]

    def _account(self, number: str, account: Json) -> None:
        row = {
            "name": f"Gammelt navn {number}" if self._draw.random() < 0.2 else (account["name"] or "")[:160],
            "ava_kundenummer": number,
            "ava_kundetype": _HEAT,
            **_bound("ava_adresse", "ava_adresses", self._addresses.get(account["address_id"] or "")),
        }
        self._accounts[number] = self._ours("accounts", row)
        if row["name"].startswith("Gammelt"):
            self._planted.stale.add(("accounts", self._accounts[number]))

    def _roles(self) -> None:
        for role in self._truth["roles"]:
            contact, account = self._contacts.get(role["party"]), self._accounts.get(role["customer_number"])
            if contact is not None and account is not None:
                self._ours("ava_kunderolles", _role(int(role["role_code"]), contact, account))

    def _agreement(self, number: str) -> str:
        agreement = self._truth["agreements"][number]
        row = {
            "ava_name": agreement["name"],
            "ava_aftaletype": _HEAT,
            "ava_antal_produkter": 1,
            "ava_startdato": agreement["valid_from"],
            "ava_slutdato": _OPEN_END,
            **_bound("ava_kundeforhold", "accounts", self._accounts[number]),
        }
        return self._ours("ava_aftales", row)

    def _links(self, agreements: Mapping[str, str]) -> None:
        for number, party in self._truth["links"]:
            if number in agreements and party in self._contacts and self._draw.random() < 0.7:
                reference = {"@odata.id": f"{self._client.base_url}contacts({self._contacts[party]})"}
                path = f"ava_aftales({agreements[number]})/ava_aktoerens_aftaler/$ref"
                self._client.post(path, json=reference).raise_for_status()

    def _installation(self, number: str, installation: Json, agreements: Mapping[str, str]) -> None:
        owner = installation["owner"] or ""
        row = {
            "ava_name": "Gammel måler",
            "ava_identifikation": number,
            "ava_installationstype": _HEAT,
            "ava_maalernummer": "0",
            **_bound("ava_aftale", "ava_aftales", agreements.get(owner)),
        }
        self._planted.stale.add(("ava_installations", self._ours("ava_installations", row)))

    def _strangers(self) -> None:
        """Contacts without a number, of nobody we know, and the waste system's rows, some under numbers of ours."""
        planted = self._planted
        planted.strangers.add(("contacts", self._create("contacts", {"firstname": "Uden", "lastname": "Nummer"})))
        nobody = {"firstname": "Ingen", "lastname": "Kunde", "ava_cpr_nummer": "0101000000"}
        planted.strangers.add(("contacts", self._create("contacts", nobody)))
        waste = self._create("accounts", {"name": "Affald, Genbrugsvej 1", "ava_kundenummer": "9999999",
                                          "ava_kundetype": _WASTE})  # fmt: skip
        planted.strangers.add(("accounts", waste))
        living = (item for item in self._accounts.items() if not self._truth["accounts"][item[0]]["ended"])
        number, account = next(living)
        bin_of = {"ava_name": "Affald", "ava_aftaletype": _WASTE, **_bound("ava_kundeforhold", "accounts", account)}
        planted.strangers.add(("ava_aftales", self._create("ava_aftales", bin_of)))
        container = {"ava_name": "Spand", "ava_identifikation": f"A{number}", "ava_installationstype": _WASTE}
        planted.strangers.add(("ava_installations", self._create("ava_installations", container)))
        case = {"title": "Klage", "ticketnumber": "CAS-1", **_bound("customerid_account", "accounts", account)}
        planted.strangers.add(("incidents", self._create("incidents", case)))

    def _copies(self, agreements: Mapping[str, str]) -> None:
        """Rows that were made again: the older one is taken, unless it is inactive."""
        numbers = self._draw.sample(sorted(self._contacts), 3)
        for place, number in enumerate(numbers):
            column = "ava_cvr_nummer" if len(number) == 8 else "ava_cpr_nummer"
            copy = self._create("contacts", {"firstname": "Kopi", column: number})
            if place == 0:
                first = ("contacts", self._contacts[number])
                self._client.patch(f"contacts({first[1]})", json={"statecode": 1, "statuscode": 2}).raise_for_status()
                self._planted.ours.discard(first)
                self._planted.left.add(first)
                self._planted.ours.add(("contacts", copy))
                self._planted.kept = [each for each in self._planted.kept if each[1] != first[1]]
                self._planted.emails.pop(number, None)
            else:
                self._planted.left.add(("contacts", copy))
        number = self._draw.choice(sorted(agreements))
        again = {"ava_name": "Kopi", **_bound("ava_kundeforhold", "accounts", self._accounts[number])}
        self._planted.left.add(("ava_aftales", self._create("ava_aftales", again)))
        role = next(each for each in self._truth["roles"] if each["party"] == numbers[1])
        account = self._accounts.get(role["customer_number"])
        if account is not None:
            twice = _role(int(role["role_code"]), self._contacts[numbers[1]], account)
            self._planted.left.add(("ava_kunderolles", self._create("ava_kunderolles", twice)))
        address_id = self._draw.choice(sorted(self._addresses))
        copied = self._create("ava_adresses", _address(self._truth["addresses"][address_id], 1))
        self._planted.left.add(("ava_adresses", copied))

    def _ours(self, set_name: str, row: Json) -> str:
        row_id = self._create(set_name, row)
        self._planted.ours.add((set_name, row_id))
        return row_id

    def _create(self, set_name: str, row: Json) -> str:
        """A row under an id of its own, once it is flushed."""
        row_id = str(uuid.UUID(int=self._draw.getrandbits(128), version=4))
        logical = set_name.removesuffix("s")
        body = {f"{logical}id": row_id, "@odata.type": f"Microsoft.Dynamics.CRM.{logical}", **row}
        filled = {name: value for name, value in body.items() if value is not None}
        self._waiting.setdefault(set_name, []).append(filled)
        return row_id

    def _flush(self) -> None:
        """Creates what waits, in the order in which tables were first named."""
        for set_name, rows in self._waiting.items():
            for start in range(0, len(rows), _AT_ONCE):
                body = {"Targets": rows[start : start + _AT_ONCE]}
                url = f"{set_name}/Microsoft.Dynamics.CRM.CreateMultiple"
                self._client.post(url, json=body).raise_for_status()
        self._waiting.clear()


def _role(code: int, contact: str, account: str) -> Json:
    ends = _bound("ava_aktoer", "contacts", contact) | _bound("ava_kundeforhold", "accounts", account)
    return {"ava_rolle": code, **ends}


def _bound(navigation: str, set_name: str, row_id: str | None) -> Json:
    return {} if row_id is None else {f"{navigation}@odata.bind": f"/{set_name}({row_id})"}


def _address(address: Json, number: int) -> Json:
    """The row of an address. Every third unit has no access address, which its key makes up for; towns have changed."""
    house = address["ava_name"].removeprefix(f"{address['ava_gadenavn']} ").partition(",")[0]
    digits, letter = re.fullmatch(r"0*(\d+)\s*([A-ZÆØÅ]?)", house.upper()).groups()  # type: ignore[union-attr]
    is_unit = address["ava_dawaadgangsadresseid"] is not None
    row = {
        **address,
        "ava_by": "Gammel By",
        "ava_husnummer": digits,
        "ava_bogstav": letter or None,
        "ava_kvhx": _kvhx(address, digits + letter) if is_unit else None,
    }
    return row | {"ava_dawaadgangsadresseid": None} if is_unit and number % 3 == 0 else row


def _kvhx(address: Json, house: str) -> str:
    parts = (address["ava_etage"] or "", 3), (address["ava_doer"] or "", 4)
    inside = "".join(text.rjust(width, "_") for text, width in parts)
    return f"{address['ava_kommunenummer']:0>4}{address['ava_vejkode']:0>4}{house:_>4}{inside}"
