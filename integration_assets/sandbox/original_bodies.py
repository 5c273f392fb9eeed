"""Objects as AVA's first integration (2017 to 2019) wrote them into the registry (LoRa), bent fields included.

Everything is valid from the moment at which the process started, in local time without a zone, for ever; the days of
the business stand in attributes. Only installations have the days of their meter. No state is ever set to inactive.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

FAR_END: Final = "9999-12-31 00:00:00"
ROLE_NAMES: Final = {"915240004": "Kunde", "915240006": "Ligestillingskunde"}


@dataclass(frozen=True)
class Bodies:
    """Makes bodies for POST. `extended`: the registry has AVA's own fields; else what stands in them is lost."""

    organisation: str
    actor: str
    extended: bool
    utility: str = "Varme"

    def virkning(self, since: str, until: str = "infinity") -> Json:
        """The period of validity of a piece."""
        return {"from": since, "to": until, "aktoerref": self.actor, "aktoertypekode": "Bruger", "notetekst": ""}

    def person(self, since: str, number: str, fields: Json, registered: Json, addresses: Iterable[Json]) -> Json:
        """A bruger. `fields`: attributes; `registered`: AVA's own, as far as there are any."""
        own = {name: value for name, value in registered.items() if value} if self.extended else {}
        return self._object(
            "bruger",
            since,
            {**fields, **own},
            {"gyldighed": "Aktiv"},
            {
                "tilhoerer": [{"uuid": self.organisation}],
                "tilknyttedepersoner": [{"urn": f"urn:{number}"}],
                "adresser": list(addresses),
            },
        )

    def company(self, since: str, number: str, fields: Json, register: Json, addresses: Iterable[Json]) -> Json:
        """An organisation. The master id was written under a name that the registry does not know, and so got lost."""
        codes = {"virksomhedstype": register["company_form"], "branche": register["business_code"]}
        return self._object(
            "organisation",
            since,
            fields,
            {"gyldighed": "Aktiv"},
            {
                "tilhoerer": [{"uuid": self.organisation}],
                "virksomhed": [{"urn": f"urn:{number}"}],
                "adresser": list(addresses),
                **{name: [{"urn": f"urn:{code}"}] for name, code in codes.items() if code},
            },
        )

    def relation(self, since: str, number: int, line: str, address_id: str | None) -> Json:
        """An interessefaellesskab."""
        return self._object(
            "interessefaellesskab",
            since,
            {
                "brugervendtnoegle": str(number),
                "interessefaellesskabsnavn": f"{self.utility}, {line}",
                "interessefaellesskabstype": self.utility,
            },
            {"gyldighed": "Aktiv"},
            {
                "tilhoerer": [{"uuid": self.organisation}],
                "adresser": [{"uuid": address_id}] if address_id else [],
            },
        )

    def role(self, since: str, code: str, party: str | None, relation: str) -> Json:
        """An organisationfunktion; without a party where nobody was found."""
        return self._object(
            "organisationfunktion",
            since,
            {"brugervendtnoegle": code, "funktionsnavn": ROLE_NAMES[code]},
            {"gyldighed": "Aktiv"},
            {
                "organisatoriskfunktionstype": [{"urn": f"urn:{code}"}],
                "tilknyttedebrugere": [{"uuid": party}] if party else [],
                "tilknyttedeinteressefaellesskaber": [{"uuid": relation}],
            },
        )

    def agreement(
        self, since: str, moved_in: str, titles: list[str], products: list[str], relation: str, billing: str | None
    ) -> Json:
        """An indsats: called after the last product, the number of products as its description."""
        return self._object(
            "indsats",
            since,
            {
                "brugervendtnoegle": f"{self.utility}, {titles[-1] if titles else 'Fjernvarmeaftale'}",
                "beskrivelse": str(len(products)),
                "starttidspunkt": f"{moved_in}T00:00:00+01:00",
                "sluttidspunkt": "9999-12-31T00:00:00+00:00",
            },
            {"fremdrift": "Disponeret", "publiceret": "IkkePubliceret"},
            {
                "indsatstype": [{"urn": f"urn:{self.utility}"}],
                "indsatsmodtager": [{"uuid": relation}],
                "indsatskvalitet": [{"uuid": product} for product in products],
                "indsatsdokument": [{"uuid": billing}] if billing else [],
            },
        )

    def installation(self, meter: list[Any], number: int, alternative: str | None) -> Json:
        """A klasse, valid as long as its meter is."""
        _id, meter_number, meter_type, _make, first, last = meter
        own = {"ava_opstillingsadresse": [{"uuid": alternative}]} if alternative and self.extended else {}
        return self._object(
            "klasse",
            f"{first} 00:00:00",
            {
                "brugervendtnoegle": str(number),
                "titel": title(meter),
                "eksempel": meter_number,
                "beskrivelse": meter_type,
            },
            {"publiceret": "Publiceret"},
            {"ejer": [{"uuid": self.organisation}], "overordnetklasse": [{"urn": f"urn:{self.utility}"}], **own},
            until=FAR_END if last is None else f"{last} 00:00:00",
        )

    def _object(
        self,
        name: str,
        since: str,
        fields: Json,
        states: Json,
        relations: dict[str, list[Json]],
        *,
        until: str = "infinity",
    ) -> Json:
        virkning = self.virkning(since, until)
        return {
            "note": "",
            "attributter": {f"{name}egenskaber": [{**fields, "virkning": virkning}]},
            "tilstande": {f"{name}{state}": [{state: value, "virkning": virkning}] for state, value in states.items()},
            "relationer": {
                relation: [{**item, "virkning": virkning} for item in items]
                for relation, items in relations.items()
                if items
            },
        }


def title(meter: list[Any]) -> str:
    """The title of an installation with this meter."""
    return f"{meter[1]}, {meter[3]} {meter[2]}"
