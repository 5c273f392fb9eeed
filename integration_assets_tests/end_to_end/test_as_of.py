"""Two registries, with AVA's own fields and without, say of every business day the same, and what was true on it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.end_to_end.conftest import NewWorld, world_of
from integration_assets_tests.end_to_end.registry_on_day import Json, Said, noon, on_day, read
from integration_assets_tests.end_to_end.truth_on_day import CONTACT_FIELDS, Truths
from integration_assets_tests.end_to_end.world import LORA_CLASSES, World, shown

CUSTOMERS, SEED = 35, 12
ASKED = {1: 40, 4: 200}
"""How many days are asked about, by the number of days played."""

PERSONS, COMPANIES, RELATIONS, ROLES, INSTALLATIONS, AGREEMENTS = LORA_CLASSES


@dataclass
class Played:
    """A town after its last day: what its registry holds by class and id, the truths of its days, differences."""

    world: World = field(repr=False)
    registry: dict[str, dict[str, Json]] = field(default_factory=dict, repr=False)
    truths: list[Json] = field(default_factory=list, repr=False)
    differences: list[str] = field(default_factory=list)

    def said(self, lora_class: str, day: str) -> dict[str, Said]:
        """The objects of a class on a day, by id; without those of which nothing is said then."""
        objects = {each: on_day(registration, day) for each, registration in self.registry[lora_class].items()}
        return {each: said for each, said in objects.items() if said.fields or said.states or said.related}


@pytest.fixture(scope="module")
def extended_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox whose registry has the extension fields."""
    folder: Path = tmp_path_factory.mktemp("extended")
    running = start_in_background(SandboxOptions(data_dir=folder, lora_extension_fields=True))
    yield running
    running.stop()


@pytest.fixture(scope="module", params=[1, pytest.param(4, marks=pytest.mark.slow)], ids=lambda days: f"days={days}")
def last_day(request: pytest.FixtureRequest) -> int:
    """How many days are played after day 0."""
    return request.param


@pytest.fixture(scope="module")
def plain(new_world: NewWorld, last_day: int) -> Played:
    """The town in a plain registry."""
    return played(new_world(), last_day)


@pytest.fixture(scope="module")
def extended(extended_sandbox: RunningSandbox, new_cache: Callable[[], str], last_day: int) -> Played:
    """The same town in a registry with the extension fields."""
    return played(world_of(extended_sandbox, new_cache()), last_day)


def played(world: World, last_day: int) -> Played:
    """Plays the town and reads its registry; the ids of the objects are the same in every world."""
    world.given = {**world.given, "identity_key": "one key for the ids of all worlds"}
    seen = Played(world)
    world.build(CUSTOMERS, SEED)
    for day in range(last_day + 1):
        if day:
            world.play(day)
        world.run_day(day)
        seen.truths.append(world.truth())
    seen.differences = world.differences()
    seen.registry = {name: read(world.systems["lora"], name) for name in LORA_CLASSES}
    return seen


@pytest.fixture(scope="module")
def days(plain: Played, last_day: int) -> list[str]:
    """Days to ask about: random ones of the years before, all that were played, the weeks after."""
    chance = random.Random(SEED)
    offsets = [*range(-2, last_day + 3), *(chance.randint(-3000, -1) for _ in range(ASKED[last_day] // 2))]
    offsets += [chance.randint(-90, 60) for _ in range(ASKED[last_day] - len(offsets))]
    return [(plain.world.base_day + timedelta(days=offset)).isoformat() for offset in sorted(offsets)]


def test_a_registry_with_fields_of_its_own_holds_the_truth_in_them(extended: Played) -> None:
    assert not extended.differences, shown(extended.differences)
    pieces = [
        piece
        for registration in extended.registry[PERSONS].values()
        for piece in registration["attributter"]["brugeregenskaber"]
    ]
    assert sum("ava_efternavn" in piece for piece in pieces) > CUSTOMERS / 2
    assert not any("ava_efternavn" in piece.get("integrationsdata", "") for piece in pieces)


def test_both_registries_say_the_same_of_every_day(plain: Played, extended: Played, days: list[str]) -> None:
    for lora_class in LORA_CLASSES:
        assert plain.registry[lora_class].keys() == extended.registry[lora_class].keys()
        for day in days:
            assert plain.said(lora_class, day) == extended.said(lora_class, day), f"{lora_class} on {day}"


def test_asking_for_one_moment_gives_what_is_valid_then(plain: Played, extended: Played, last_day: int) -> None:
    for seen in (plain, extended):
        for offset in (-400, last_day):
            day = (seen.world.base_day + timedelta(days=offset)).isoformat()
            for lora_class in LORA_CLASSES:
                answered = read(seen.world.systems["lora"], lora_class, virkningstid=noon(day).isoformat())
                said = {each: on_day(registration, None) for each, registration in answered.items()}
                assert {each: one for each, one in said.items() if one.fields or one.states} == {
                    each: one for each, one in seen.said(lora_class, day).items() if one.fields or one.states
                }


def test_the_days_played_changed_values_that_no_source_dates(plain: Played) -> None:
    first, last = plain.truths[0], plain.truths[-1]
    changed = {
        name
        for number, contact in first["contacts"].items()
        for name in CONTACT_FIELDS
        if number in last["contacts"] and contact[name] != last["contacts"][number][name]
    }
    assert {"phone", "mobile", "email", "kmd_name", "master_id"} <= changed
    for group, name in (("accounts", "address_id"), ("accounts", "name"), ("agreements", "billing_address_id")):
        assert any(one[name] != last[group][number][name] for number, one in first[group].items()), name


@pytest.mark.parametrize("form", ["plain", "extended"])
def test_every_day_reads_as_it_was(form: str, days: list[str], request: pytest.FixtureRequest) -> None:
    seen: Played = request.getfixturevalue(form)
    truths = Truths(seen.truths)
    for day in days:
        wrong = [f"{day}: {one}" for one in _wrong(seen, truths, day)]
        assert not wrong, shown(wrong)


def _wrong(seen: Played, truths: Truths, day: str) -> Iterator[str]:
    """What the registry says of a day otherwise than the truth."""
    last = truths.last
    names = {name: _numbers(seen, name) for name in (RELATIONS, INSTALLATIONS)}
    agreements = {
        each: names[RELATIONS][_only(one, "indsatsmodtager")] for each, one in seen.registry[AGREEMENTS].items()
    }
    parties: dict[str, str] = {}
    for lora_class, relation in ((PERSONS, "tilknyttedepersoner"), (COMPANIES, "virksomhed")):
        now = seen.said(lora_class, last["as_of"])
        parties |= {each: now[each].one(relation, "urn:") or "?" for each in now}
        for each, said in seen.said(lora_class, day).items():
            wanted = truths.contact(parties[each], day)
            yield from _told(f"party of {wanted['user_key']}", _party(said, relation), wanted)
    relations, installations = seen.said(RELATIONS, day), seen.said(INSTALLATIONS, day)
    for each, number in names[RELATIONS].items():
        told = _relation(relations[each]) if each in relations else None
        yield from _told(f"relation {number}", told, truths.account(number, day))
    for each, number in names[INSTALLATIONS].items():
        told = _installation(installations[each]) if each in installations else None
        yield from _told(f"installation {number}", told, truths.installation(number, day))
    deals = seen.said(AGREEMENTS, day)
    for each, number in agreements.items():
        told = _agreement(deals[each], names[INSTALLATIONS]) if each in deals else None
        yield from _told(f"agreement {number}", told, truths.agreement(number, day))
    roles = [said for said in seen.said(ROLES, day).values() if said.states["organisationfunktiongyldighed"] == "Aktiv"]
    found = {
        (
            names[RELATIONS][said.one("tilknyttedeinteressefaellesskaber") or ""],
            said.fields["brugervendtnoegle"],
            parties[said.one("tilknyttedebrugere") or ""],
        )
        for said in roles
    }
    yield from (f"role {role}" for role in found ^ truths.roles(day))


def _told(what: str, found: Json | None, wanted: Json | None) -> Iterator[str]:
    if found is None or wanted is None:
        if found != wanted:
            yield f"{what} is {found}, not {wanted}"
        return
    for name, value in found.items():
        if wanted[name] != "any" and value != wanted[name]:
            yield f"{what}: {name} is {value!r}, not {wanted[name]!r}"


def _numbers(seen: Played, lora_class: str) -> dict[str, str]:
    """The business keys of a class's objects."""
    return {
        each: next(piece["brugervendtnoegle"] for pieces in one["attributter"].values() for piece in pieces)
        for each, one in seen.registry[lora_class].items()
    }


def _only(registration: Json, relation: str) -> str:
    (target,) = {item["uuid"] for item in registration["relationer"][relation]}
    return target


def _party(said: Said, number: str) -> Json:
    fields = said.fields
    return {
        "number": said.one(number, "urn:"),
        "user_key": fields.get("brugervendtnoegle"),
        "name": fields.get("brugernavn") or fields.get("organisationsnavn"),
        "kmd_name": fields.get("ava_kmdnavn"),
        "master_id": fields.get("ava_masterid"),
        "last_name": fields.get("ava_efternavn"),
        "civil_status": fields.get("ava_civilstand"),
        "business_code": said.one("branche", "urn:"),
        "phone": said.one("adresser", "urn:tel:"),
        "mobile": said.one("adresser", "urn:mobile:"),
        "email": said.one("adresser", "urn:email:"),
        "address_id": said.one("adresser"),
        "active": "Aktiv" in said.states.values(),
    }


def _relation(said: Said) -> Json:
    return {
        "name": said.fields.get("interessefaellesskabsnavn"),
        "active": "Aktiv" in said.states.values(),
        "address_id": said.one("adresser"),
    }


def _installation(said: Said) -> Json:
    return {
        "title": said.fields.get("titel"),
        "active": said.states["publiceret"] == "Publiceret",
        "place": said.one("ava_opstillingsadresse"),
    }


def _agreement(said: Said, installations: dict[str, str]) -> Json:
    return {
        "name": said.fields.get("brugervendtnoegle"),
        "product_count": said.fields.get("beskrivelse"),
        "billing_address_id": said.one("indsatsdokument"),
        "active": said.states["indsatsfremdrift"] == "Disponeret",
        "installations": sorted(installations[each] for each in said.related.get("indsatskvalitet", ())),
    }
