"""Providers of address answers: a host of DAWA's protocol and a second opinion, by real clients over HTTP."""

from typing import Any

import polars as pl

from integration_assets.clients.adressevask import Adressevask
from integration_assets.clients.dawa import Dawa
from integration_assets.domain.addresses.washing.evidence import ANSWERS, opened
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT
from integration_assets.flows.address_providers import DawaHost, LocalRegister, WithSecondOpinion
from integration_assets_tests.clients.wire import FAST, Reply, serving
from integration_assets_tests.domain.washing.register import index

GIRO_UNIT = "633c235a-4cd9-4309-b1ce-24ef3caeec6a"
STRANGER = "0a3f50c4-0000-32b8-e044-00000000ffff"
NOWHERE = pl.Series(["Ingensteds Allé 1, 5000 Odense C", "Ingensteds Allé 2, 5000 Odense C"])


def opinion(unit: str) -> Reply:
    found = {"adresse_id_lokalid": unit, "adressebetegnelse": "X 2", "status": 3}
    return Reply(200, {"vaskestatus": {"kode": 900, "tekst": "-"}, "vaskeresultat": found})


def test_a_second_opinion_counts_where_our_register_has_its_address() -> None:
    with serving([opinion(GIRO_UNIT), opinion(STRANGER)]) as server:
        service = Adressevask(server.url, "secret-token-123", policy=FAST, parallel=1)
        provider = WithSecondOpinion(LocalRegister(index()), service.second_opinion, index())
        found = provider.wash(pl.concat([NOWHERE, pl.Series(["Girostrøget 1, 0800 Høje Taastrup"])]), UNIT)
    assert found.schema == ANSWERS
    assert found.select("category", "method", "unit_id").rows() == [
        ("B", "second_opinion", GIRO_UNIT),
        ("C", "none", None),
        ("A", "large_receiver", GIRO_UNIT),
    ]
    assert len(server.seen) == 2


def test_houses_are_not_put_to_the_second_service() -> None:
    with serving([]) as server:
        service = Adressevask(server.url, "secret-token-123", policy=FAST)
        provider = WithSecondOpinion(LocalRegister(index()), service.second_opinion, index())
        assert provider.wash(NOWHERE, ACCESS)["category"].to_list() == ["C", "C"]
    assert server.seen == []


def dawa(category: str, *rows: dict[str, Any]) -> Reply:
    results = [
        {"adresse": row, "aktueladresse": row,
         "vaskeresultat": {"afstand": 1, "forskelle": {"vejnavn": 1}, "ukendtetokens": []}}
        for row in rows
    ]  # fmt: skip
    return Reply(200, {"kategori": category, "resultater": results})


def row(identity: str, status: int = 1) -> dict[str, Any]:
    return {
        "id": identity, "status": status, "vejnavn": "Eksempelgade", "adresseringsvejnavn": "Eksempelgade",
        "husnr": "12B", "supplerendebynavn": None, "postnr": "8000", "postnrnavn": "Aarhus C",
        "adgangsadresseid": "0a3f5096-0000-32b8-e044-000000000002", "etage": "2", "dør": "tv",
    }  # fmt: skip


def test_a_host_of_dawa_s_protocol_answers_in_our_words() -> None:
    texts = pl.Series(["sure", "closed", "several", "unknown", "failing"])
    replies = [
        dawa("B", row(GIRO_UNIT)),
        dawa("A", row(GIRO_UNIT, status=2)),
        dawa("C", row(GIRO_UNIT), row(STRANGER)),
        dawa("C"),
        *[Reply(500, {"type": "InternalServerError", "title": "-", "details": []})] * 9,
    ]
    with serving(replies) as server:
        client = Dawa(server.url, policy=FAST)
        # One after the other: the replies are in the order of the texts.
        frames_of = [client.wash_units([text]) for text in texts]
        found = DawaHost(lambda _: pl.concat(frames_of), client.wash_access).wash(texts, UNIT)
    assert found.schema == ANSWERS
    assert found.select("text", "category", "outcome", "method", "unit_id").rows() == [
        ("sure", "B", "unit", "dawa", GIRO_UNIT),
        ("closed", "A", "unit", "dawa", GIRO_UNIT),
        ("several", "C", "candidates", "none", None),
        ("unknown", "C", "none", "none", None),
    ]
    details = opened(found)
    # DAWA's status 2 is DAR's 4: closed.
    assert details["status"].to_list()[:2] == [3, 4]
    assert [candidate["address_id"] for candidate in details["candidates"][2]] == [GIRO_UNIT, STRANGER]
