"""Event files: their records, their two forms, and what a delivery can lack.

Positions and lengths come from the public layout of CPR's P12170 records; people are invented.
"""

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox.event_outbox import DeliveryOrder, EventOutbox
from integration_assets.sandbox.event_records import clear_text_address, content, last_record, person_records
from integration_assets.sandbox.register_surplus import relatives
from integration_assets.sandbox.register_switches import switch
from integration_assets.sandbox.store import Store
from integration_assets_tests.sandbox.handmade_registers import HOME, person

LENGTHS = {
    "000": 35, "001": 106, "002": 306, "003": 249, "004": 37, "005": 200, "008": 193, "012": 95, "014": 23,
    "015": 147, "022": 45, "099": 45, "997": 43, "999": 21,
}  # fmt: skip
DAY = date(2026, 3, 2)
AASE = person(
    "1303814002", "Åse Møller Prøve", status_from="1999-02-03", name_from="2005-06-07", protected=True,
    protected_from="2026-01-02", protected_until="2027-01-02",
)  # fmt: skip
OLD = person("0102704003", "Bo Prøve", status="60", status_from="2026-03-02", current_pnr="0102704009", address=None)
NEW = person("0102704009", "Bo Prøve", address={**HOME, "floor": "st", "door": "12"})
GONE = person("0607504005", "Dan Prøve", status="80", emigrated_on="2026-01-10", address=None)
QUIET = person("0809904006", "Finn Prøve")
PEOPLE = {row["pnr"]: row for row in (AASE, OLD, NEW, GONE, QUIET)}
EVENTS = [
    {"pnr": "1303814002", "codes": ["A01", "A33"], "new_pnr": None},
    {"pnr": "0102704003", "codes": ["P03"], "new_pnr": "0102704009"},
    {"pnr": "0607504005", "codes": ["A06"], "new_pnr": None},
]


@pytest.fixture(scope="module")
def opened(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "event_outbox"))
    yield store
    store.close()


@pytest.fixture
def store(opened: Store) -> Store:
    opened.clear()
    opened.put_many("register:person", PEOPLE)
    opened.put_many("register:subscriptions", {number: {"pnr": number} for number in PEOPLE if number != "0102704009"})
    opened.put("register:events", DAY.isoformat(), {"day": DAY.isoformat(), "events": EVENTS})
    switch(opened, {"surplus": "none"})
    return opened


@pytest.fixture
def outbox(store: Store, tmp_path: Path) -> EventOutbox:
    return EventOutbox(store, tmp_path)


def order(**body: Any) -> DeliveryOrder:
    return DeliveryOrder.from_json(body)


def records_of(folder: Path, name: str) -> list[str]:
    """Records of a file of either form, by their type and known length."""
    text = (folder / "IN" / name).read_bytes().decode("iso-8859-1")
    if "\n" in text:
        return [line.ljust(LENGTHS[line[:3]]) for line in text.splitlines()]
    records = []
    while text:
        length = LENGTHS[text[:3]]
        records.append(text[:length])
        text = text[length:]
    return records


def part(record: str, position: int, length: int) -> str:
    return record[position - 1 : position - 1 + length]


def of(records: list[str], kind: str, number: str) -> list[str]:
    return [record for record in records if record[:13] == kind + number]


class TestRecords:
    def test_a_file_tells_of_everybody_subscribed_with_an_event(self, outbox: EventOutbox, tmp_path: Path) -> None:
        (delivery,) = outbox.deliver(order())["deliveries"]
        assert delivery == {
            "day": "2026-03-02", "previous": "2026-03-01", "file": "D260302.L110901", "persons": 4, "records": 24,
        }  # fmt: skip
        records = records_of(tmp_path, delivery["file"])
        assert records[0] == "0000000000000" + "110901" + "20260302" + "20260301"
        assert records[-1] == "999" + "9" * 10 + "00000022", "the first and the last one are not counted"
        assert len(records) == 24
        assert [record[:3] for record in records if record[3:13] == "1303814002"] == [
            "001", "002", "004", "008", "099", "099", "003",
        ]  # fmt: skip
        assert [record[:3] for record in records[-5:]] == ["003"] * 4 + ["999"]
        assert not of(records, "001", "0809904006"), "nothing happened to him"

    def test_the_parts_of_the_records_stand_where_the_layout_says(self, outbox: EventOutbox, tmp_path: Path) -> None:
        outbox.deliver(order())
        records = records_of(tmp_path, "D260302.L110901")
        (first,) = of(records, "001", "1303814002")
        assert (part(first, 14, 10), part(first, 24, 2), part(first, 26, 12)) == (" " * 10, "01", "199902030900")
        assert (part(first, 39, 1), part(first, 40, 10)) == ("K", "1981-03-13")
        (home,) = of(records, "002", "1303814002")
        assert [part(home, at, n) for at, n in ((14, 4), (18, 4), (22, 4), (26, 2), (28, 4), (70, 12))] == [
            "0461", "0012", "012B", "01", "  th", "201503010900",
        ]  # fmt: skip
        (text,) = of(records, "003", "1303814002")
        assert (part(text, 14, 34).rstrip(), part(text, 116, 34).rstrip()) == ("Åse Møller Prøve", "Prøvegade 12B,1 th")
        assert (part(text, 184, 4), part(text, 188, 20).rstrip()) == ("5000", "Odense C")
        assert (part(text, 208, 4), part(text, 212, 4), part(text, 216, 4)) == ("0461", "0012", "012B")
        assert (part(text, 220, 2), part(text, 222, 4)) == ("01", "  th")
        assert part(text, 230, 20).rstrip() == "Prøvegade"
        (protection,) = of(records, "004", "1303814002")
        assert protection[13:] == "00012026-01-022027-01-02"
        (name,) = of(records, "008", "1303814002")
        assert [part(name, 14, 50).rstrip(), part(name, 106, 40).rstrip()] == ["Åse Møller", "Prøve"]
        assert (part(name, 147, 12), part(name, 160, 34).rstrip()) == ("200506070900", "Åse Møller Prøve")
        events = of(records, "099", "1303814002")
        assert [(part(event, 14, 12), part(event, 26, 3)) for event in events] == [
            ("202603020900", "A01"), ("202603020900", "A33"),
        ]  # fmt: skip
        (abroad,) = of(records, "005", "0607504005")
        assert part(abroad, 18, 12) == "202601100900"
        assert not of(records, "002", "0607504005")
        (nowhere,) = of(records, "003", "0607504005")
        assert (part(nowhere, 116, 34).strip(), part(nowhere, 184, 4), part(nowhere, 208, 8)) == ("", "0000", "0" * 8)

    def test_a_replaced_number_comes_with_the_new_one(self, outbox: EventOutbox, tmp_path: Path) -> None:
        outbox.deliver(order())
        records = records_of(tmp_path, "D260302.L110901")
        (old,) = of(records, "001", "0102704003")
        assert (part(old, 14, 10), part(old, 24, 2), part(old, 62, 10)) == ("0102704009", "60", "2026-03-02")
        (new,) = of(records, "001", "0102704009")
        assert part(new, 14, 10) == " " * 10
        (former,) = of(records, "022", "0102704009")
        assert (part(former, 14, 10), part(former, 24, 10), part(former, 35, 10)) == (
            "0102704003", "1981-03-13", "2026-03-02",
        )  # fmt: skip
        assert [part(event, 26, 5) for event in of(records, "099", "0102704003")] == ["P03  "]
        assert [part(event, 26, 5) for event in of(records, "099", "0102704009")] == ["P03PN"]
        (home,) = of(records, "002", "0102704009")
        assert (part(home, 26, 2), part(home, 28, 4)) == ("st", "0012")

    def test_relatives_come_along_where_they_are_told_of(
        self, outbox: EventOutbox, store: Store, tmp_path: Path
    ) -> None:
        switch(store, {"surplus": "all"})
        outbox.deliver(order(form="fixed"))
        records = records_of(tmp_path, "D260302.L110901")
        (spouse,), family = of(records, "012", "1303814002"), relatives(AASE)
        assert (part(spouse, 14, 1), part(spouse, 15, 10)) == ("G", family.spouse)
        (parents,) = of(records, "015", "1303814002")
        assert (part(parents, 25, 10), part(parents, 92, 10)) == (family.mother, family.father)

    @settings(max_examples=60, deadline=None)
    @given(
        names=st.lists(st.text(max_size=90), min_size=4, max_size=4),
        street=st.text(min_size=1, max_size=60),
        door=st.none() | st.text("abc", min_size=1, max_size=4) | st.integers(1, 9999).map(str),
        house=st.integers(1, 999).map(str),
        protected=st.booleans(),
    )
    def test_every_record_has_its_length(
        self, names: list[str], street: str, door: str | None, house: str, protected: bool
    ) -> None:
        home = {**HOME, "street_name": street, "district": street, "door": door, "house_number": house}
        somebody = person("1303814002", None, address=home, protected=protected)
        keys = ("first_name", "middle_name", "last_name", "addressing_name")
        somebody |= {key: name.replace("\n", " ") for key, name in zip(keys, names, strict=True)}
        records = person_records(somebody, [OLD], ["A01"], DAY, relatives(somebody))
        records.append(clear_text_address(somebody))
        assert all(len(record) == LENGTHS[record[:3]] for record in records)
        fixed = content([*records, last_record(9)], "fixed")
        assert len(fixed) == sum(map(len, records)) + 21


class TestDeliveries:
    def test_both_forms_say_the_same(self, outbox: EventOutbox, store: Store, tmp_path: Path) -> None:
        outbox.deliver(order())
        lines = (tmp_path / "IN" / "D260302.L110901").read_bytes()
        assert lines.endswith(b"\n")
        assert not re.search(rb" \n", lines)
        told = records_of(tmp_path, "D260302.L110901")
        store.clear("register:deliveries")
        outbox.deliver(order(form="fixed"))
        fixed = (tmp_path / "IN" / "D260302.L110901").read_bytes()
        assert b"\n" not in fixed
        assert "Åse Møller".encode("iso-8859-1") in fixed
        assert records_of(tmp_path, "D260302.L110901") == told

    def test_metadata_gives_the_size_and_no_number_is_in_a_name(self, outbox: EventOutbox, tmp_path: Path) -> None:
        outbox.deliver(order())
        names = sorted(path.name for path in (tmp_path / "IN").iterdir())
        assert names == ["D260302.L110901", "D260302.L110901.metadata"]
        root = etree.parse(str(tmp_path / "IN" / names[1])).getroot()
        assert root.tag == "{http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types}Trigger"
        assert root.findtext("FileDescriptor/FileName") == names[0]
        assert int(root.findtext("FileDescriptor/SizeInBytes")) == (tmp_path / "IN" / names[0]).stat().st_size
        assert [part.tag for part in root[1]] == ["FileName", "SizeInBytes", "Sender", "SendersFileId", "Recipients"]
        assert not [number for number in PEOPLE if number in " ".join(names)]

    def test_each_day_is_delivered_once_and_names_the_one_before(
        self, outbox: EventOutbox, store: Store, tmp_path: Path
    ) -> None:
        outbox.deliver(order())
        assert outbox.deliver(order()) == {"deliveries": []}
        for day in ("2026-03-05", "2026-03-04"):
            store.put("register:events", day, {"day": day, "events": []})
        made = outbox.deliver(order())["deliveries"]
        assert [(entry["day"], entry["previous"], entry["persons"]) for entry in made] == [
            ("2026-03-04", "2026-03-02", 0), ("2026-03-05", "2026-03-04", 0),
        ]  # fmt: skip
        assert [record[:3] for record in records_of(tmp_path, "D260305.L110901")] == ["000", "999"]

    def test_a_lost_file_shows_in_the_next_one(self, outbox: EventOutbox, store: Store, tmp_path: Path) -> None:
        assert outbox.deliver(order(skip=True))["deliveries"][0]["file"] is None
        assert list((tmp_path / "IN").iterdir()) == []
        store.put("register:events", "2026-03-03", {"day": "2026-03-03", "events": EVENTS})
        (delivery,) = outbox.deliver(order())["deliveries"]
        assert part(records_of(tmp_path, delivery["file"])[0], 28, 8) == "20260302"

    def test_a_file_without_metadata_is_completed_by_the_next_delivery(
        self, outbox: EventOutbox, tmp_path: Path
    ) -> None:
        outbox.deliver(order(without_metadata=True))
        assert [path.name for path in (tmp_path / "IN").iterdir()] == ["D260302.L110901"]
        assert outbox.deliver(order(day="2026-03-02")) == {"deliveries": []}
        assert (tmp_path / "IN" / "D260302.L110901.metadata").exists()

    def test_a_full_delivery_and_a_wrong_count(self, outbox: EventOutbox, tmp_path: Path) -> None:
        (delivery,) = outbox.deliver(order(day="2026-03-09", full=True, wrong_count=True))["deliveries"]
        records = records_of(tmp_path, delivery["file"])
        assert delivery["persons"] == 5
        assert {record[3:13] for record in records if record[:3] == "001"} == set(PEOPLE)
        assert not [record for record in records if record[:3] == "099"]
        assert int(records[-1][13:]) == len(records) - 1

    def test_ended_subscriptions_are_told_once(self, outbox: EventOutbox, store: Store, tmp_path: Path) -> None:
        store.put("register:events", "2026-03-03", {"day": "2026-03-03", "events": []})
        made = outbox.deliver(order(ended=["1303814002"]))["deliveries"]
        first, second = (records_of(tmp_path, entry["file"]) for entry in made)
        (ended,) = of(first, "997", "1303814002")
        assert part(ended, 14, 12) == "202603020900"
        assert not of(first, "001", "1303814002")
        assert not of(second, "997", "1303814002")
        assert "1303814002" not in store.load("register:subscriptions")

    def test_clearing_takes_files_deliveries_and_subscriptions(
        self, outbox: EventOutbox, store: Store, tmp_path: Path
    ) -> None:
        outbox.deliver(order())
        outbox.clear()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["IN", "OUT"]
        assert list((tmp_path / "IN").iterdir()) == []
        left = [store.load(f"register:{name}") for name in ("subscriptions", "deliveries", "events")]
        assert json.dumps(left) == "[{}, {}, {}]"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"teapot": True},
            {"day": "1303814002"},
            {"day": 3},
            {"form": "1303814002"},
            {"skip": "yes"},
            {"ended": "1303814002"},
        ],
    )
    def test_nonsense_is_refused_without_repeating_it(self, wrong: Any) -> None:
        with pytest.raises(ValueError, match=r"\w") as caught:
            order(**wrong)
        assert "1303814002" not in str(caught.value)
