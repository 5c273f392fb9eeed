"""Random lives of one object: the sandbox's registry, over HTTP, against the plain account in `lora_model`."""

import json
import uuid
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.lora_model import SENT, Json, Kind, Model, Refusal, read_groups

VALIDITY = {"gyldighed": ("Aktiv", "Inaktiv")}
KINDS = [
    Kind(
        "/organisation/bruger",
        "bruger",
        ("brugervendtnoegle", "brugernavn", "brugertype", "integrationsdata"),
        ("brugervendtnoegle",),
        VALIDITY,
        "tilhoerer",
        "adresser",
    ),
    Kind(
        "/organisation/interessefaellesskab",
        "interessefaellesskab",
        ("brugervendtnoegle", "interessefaellesskabsnavn", "interessefaellesskabstype", "integrationsdata"),
        ("brugervendtnoegle",),
        VALIDITY,
        "overordnet",
        "tilknyttedebrugere",
    ),
    Kind(
        "/indsats/indsats",
        "indsats",
        ("brugervendtnoegle", "beskrivelse", "integrationsdata"),
        ("brugervendtnoegle",),
        {"publiceret": ("Normal", "Publiceret"), "fremdrift": ("Visiteret", "Leveret")},
        "indsatsmodtager",
        "indsatsaktoer",
        times=("starttidspunkt", "sluttidspunkt"),
        numbered=True,
    ),
    Kind(
        "/klassifikation/klasse",
        "klasse",
        (
            "brugervendtnoegle",
            "titel",
            "beskrivelse",
            "eksempel",
            "omfang",
            "retskilde",
            "aendringsnotat",
            "integrationsdata",
        ),
        ("brugervendtnoegle", "titel"),
        {"publiceret": ("Publiceret", "IkkePubliceret")},
        "ejer",
        "redaktoerer",
        words="soegeord",
    ),
]
TIMES = ["2020-05-19T10:02:32+00:00", "2021-01-01T00:00:00+00:00"]
WORDS = [["a", "b", "c"], ["d", "e", "f"]]
TARGETS = [
    {"uuid": "11111111-1111-4111-8111-111111111111"},
    {"urn": "urn:tel:1"},
    {"urn": "urn:tel:2", "objekttype": "PHONE"},
]
ALWAYS = "?virkningfra=-infinity&virkningtil=infinity"
HISTORY = f"{ALWAYS}&registreretfra=-infinity&registrerettil=infinity"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    sandbox = start_in_background(SandboxOptions(tmp_path_factory.mktemp("lora_model"), systems=("lora",)))
    yield sandbox
    sandbox.stop()


def items(fields: st.SearchStrategy[Json], most: int, least: int = 0) -> st.SearchStrategy[list[Json]]:
    """Items of a group: what they say, on which days, and who says it; they may overlap."""
    bounds = st.lists(st.integers(0, len(SENT) - 1), min_size=2, max_size=2, unique=True).map(sorted)
    actors = st.sampled_from([{}, {}, {"aktoertypekode": "Bruger"}])
    item = st.builds(lambda said, days, actor: {"fields": said, "from": days[0], "to": days[1], "actor": actor},
                     fields, bounds, actors)  # fmt: skip
    return st.lists(item, min_size=least, max_size=most)


def attributes(kind: Kind, *, complete: bool) -> st.SearchStrategy[Json]:
    """Fields of egenskaber; a complete item has all that must be there, an update may leave out and send null."""
    texts = st.sampled_from(["x", "y", ""] if complete else ["x", "y", "", None])
    times = st.sampled_from(TIMES if complete else [*TIMES, *TIMES, *TIMES, "", None])
    values = dict.fromkeys(kind.texts, texts) | dict.fromkeys(kind.times, times)
    if kind.words:
        values[kind.words] = st.lists(st.sampled_from(WORDS), max_size=2, unique_by=str)
    needed = {name: values.pop(name) for name in (kind.required if complete else ())}
    # Often everything at once: only then an update does not inherit piece by piece.
    some = st.fixed_dictionaries(needed, optional=values)
    whole = {name: st.sampled_from(["x", "y"]) for name in kind.texts} | dict.fromkeys(kind.times, st.just(TIMES[0]))
    return st.one_of(some, some, st.fixed_dictionaries(whole))


def bodies(kind: Kind, *, complete: bool) -> st.SearchStrategy[Json]:
    """What a POST or PUT (complete) or a PATCH says, in the words of the model."""
    least = 1 if complete else 0
    groups: dict[str, st.SearchStrategy[Any]] = {
        "attributes": items(attributes(kind, complete=complete), 2, least),
        "one": items(st.sampled_from(TARGETS if complete else [*TARGETS, {}]), 2),
        "many": items(st.sampled_from(TARGETS), 3),
    }
    if kind.numbered and not complete:
        indexes = st.sampled_from([None, 1, 2, 9])
        groups["many"] = st.lists(
            st.tuples(items(st.sampled_from([*TARGETS, {}]), 1, 1), indexes).map(
                lambda pair: pair[0][0] | ({"indeks": pair[1]} if pair[1] else {})
            ),
            max_size=2,
            unique_by=lambda item: item.get("indeks", str(item)),
        )
    states = {}
    for name, values in kind.states.items():
        said = st.sampled_from(values if complete else (*values, "")).map(lambda value, name=name: {name: value})
        states[name] = items(said, 2, least)
    if complete:
        return st.fixed_dictionaries({**groups, "states": st.fixed_dictionaries(states)})
    return st.fixed_dictionaries({}, optional={**groups, "states": st.fixed_dictionaries({}, optional=states)})


def wire(kind: Kind, body: Json) -> Json:
    """The body as it is sent. A `note` keeps it from being empty."""
    sent: Json = {"note": "n", "attributter": {}, "tilstande": {}, "relationer": {}}
    if "attributes" in body:
        sent["attributter"][f"{kind.name}egenskaber"] = [_wire_item(item) for item in body["attributes"]]
    for name, group in body.get("states", {}).items():
        sent["tilstande"][kind.name + name] = [_wire_item(item) for item in group]
    for key, name in (("one", kind.one), ("many", kind.many)):
        if key in body:
            sent["relationer"][name] = [_wire_target(item) for item in body[key]]
    return sent


def _wire_item(item: Json) -> Json:
    return {**item["fields"], "virkning": {"from": SENT[item["from"]], "to": SENT[item["to"]], **item["actor"]}}


def _wire_target(item: Json) -> Json:
    blank = {} if item["fields"] else {"uuid": "", "urn": ""}
    numbered = {"indeks": item["indeks"]} if "indeks" in item else {}
    return {**_wire_item(item), **blank, **numbered}


def life(kind: Kind, url: str) -> type[RuleBasedStateMachine]:
    """The machine that lives the life of an object of a class."""
    host = urlsplit(url).netloc

    def call(method: str, path: str, body: Json | None = None) -> tuple[int, Any]:
        connection = HTTPConnection(host, timeout=30)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if answer.headers["Content-Type"] == "application/json" else None

    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model(kind)
            self.object_id = str(uuid.uuid4())

        def _does(self, happens: Callable[[], None], good: int, status: int) -> None:
            try:
                happens()
            except Refusal as refusal:
                good = refusal.status
            assert status == good
            self._agree()

        def _agree(self) -> None:
            if not self.model.code:
                return
            status, found = call("GET", f"{kind.path}{HISTORY}&uuid={self.object_id}")
            registrations = found["results"][0][0]["registreringer"]
            assert status == 200
            assert len(registrations) == self.model.registrations
            assert registrations[0]["livscykluskode"] == self.model.code
            assert read_groups(registrations[0]) == self.model.shown()

        @initialize(body=bodies(kind, complete=True), first=st.booleans())
        def begins(self, body: Json, first: bool) -> None:
            if first:
                self.is_posted(body)

        @rule(body=bodies(kind, complete=True))
        def is_posted(self, body: Json) -> None:
            status, answer = call("POST", kind.path, wire(kind, body))
            if status == 201:
                self.object_id = answer["uuid"]
            self._does(lambda: self.model.post(body), 201, status)

        @rule(body=bodies(kind, complete=True))
        def is_put(self, body: Json) -> None:
            status, _ = call("PUT", f"{kind.path}/{self.object_id}", wire(kind, body))
            self._does(lambda: self.model.put(body), 200, status)

        @rule(body=bodies(kind, complete=False), again=st.booleans())
        def is_patched(self, body: Json, again: bool) -> None:
            if not self.model.code:
                return
            for _ in range(1 + again):
                status, _ = call("PATCH", f"{kind.path}/{self.object_id}", wire(kind, body))
                self._does(lambda: self.model.patch(body), 200, status)

        @rule()
        def is_passivated(self) -> None:
            if self.model.code:
                status, _ = call("PATCH", f"{kind.path}/{self.object_id}", {"livscyklus": "Passiv"})
                self._does(self.model.passivate, 200, status)

        @rule()
        def is_deleted(self) -> None:
            if self.model.code:
                status, _ = call("DELETE", f"{kind.path}/{self.object_id}")
                self._does(self.model.delete, 202, status)
                assert call("GET", f"{kind.path}/{self.object_id}{ALWAYS}")[0] == 410

    return Life


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_lives_of_an_object_go_as_in_the_model(running: RunningSandbox, kind: Kind) -> None:
    run_state_machine_as_test(
        life(kind, running.systems["lora"]),
        settings=settings(
            max_examples=25,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking a long life over HTTP takes minutes; the failing one is printed as it is.
            phases=(Phase.explicit, Phase.generate),
        ),
    )
