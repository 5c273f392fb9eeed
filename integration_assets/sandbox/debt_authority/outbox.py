"""The statuses of the debt authority: which are told, in which messages, and all that happens to messages.

Belongs here: making messages and keeping them until they have arrived. How they get to the creditor, `post` knows.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox.debt_authority.behaviour import Behaviour, behaviour
from integration_assets.sandbox.debt_authority.books import ACTIONS, FINAL, OUTBOX, REJECTED, count, present
from integration_assets.sandbox.debt_authority.ledger import Ledger, claim_of, json_of
from integration_assets.sandbox.debt_authority.rules import Asked, Receipt, Rejected, rejected
from integration_assets.sandbox.debt_authority.wire_out import Info, Status, status_message
from integration_assets.sandbox.store import Store

_ORPHANS_FROM: Final = 700_000_000_000
_STATUSES_OF_MESSAGE: Final = 50

Json = dict[str, Any]


class Outbox:
    """The messages of a store that wait to be sent."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ledger = Ledger(store)

    def tell(self, rules: Behaviour, actions: Iterable[int]) -> None:
        """Put messages into the outbox about how these actions stand now, with all that can happen to a message."""
        plain: list[tuple[Json, Status]] = []
        extra: list[tuple[Json, Status, float]] = []
        for number in actions:
            key = str(number)
            record = self._store.load(ACTIONS)[key]
            status = _status_of(record, self._ledger)
            case = (key, status.code, count(self._store, "statuses"))
            if status.code not in FINAL and rules.chance(rules.reorder_share, "reorder", *case):
                held = [*record["held"], [status.code, record["changed_at"]]]
                self._store.put(ACTIONS, key, {**record, "held": held})
                continue
            if rules.chance(rules.delay_share, "delay", *case):
                extra.append((record, status, rules.delay_s))
            else:
                plain.append((record, status))
            if rules.chance(rules.duplicate_share, "duplicate", *case):
                extra.append((record, status, 0.0))
            if status.code in FINAL:
                for code, at in record["held"]:
                    late = replace(status, code=code, changed_at=datetime.fromisoformat(at), rejections=(), receipts=())
                    extra.append((record, late, 0.0))
                self._store.put(ACTIONS, key, {**record, "held": []})
                if rules.chance(rules.orphan_share, "orphan", *case):
                    extra.append((record, self._orphan(status), 0.0))
        for start in range(0, len(plain), _STATUSES_OF_MESSAGE):
            self._enqueue(rules, plain[start : start + _STATUSES_OF_MESSAGE], 0.0)
        for record, status, after_s in extra:
            self._enqueue(rules, [(record, status)], after_s)

    def _orphan(self, status: Status) -> Status:
        """A status about an action that nobody sent."""
        asked = Asked(_ORPHANS_FROM + count(self._store, "orphans"), _ORPHANS_FROM, status.creditor, "FEJL")
        return Status(
            asked.claim, asked.action, asked.creditor, REJECTED, status.changed_at, rejections=(rejected(asked, 8),)
        )

    def _enqueue(self, rules: Behaviour, statuses: list[tuple[Json, Status]], after_s: float) -> None:
        grouped: dict[tuple[str, int], list[Status]] = defaultdict(list)
        for record, status in statuses:
            grouped[record["system"], record["leverance"]].append(status)
        infos = [Info(system, leverance, tuple(found)) for (system, leverance), found in grouped.items()]
        # Numbers begin again after a reset; names must not, or a creditor takes a new message for one that he has.
        name = f"dmi-{count(self._store, 'messages'):08d}-{uuid.uuid4().hex[:8]}"
        message = status_message(name, present(self._store, rules), infos)
        body = etree.tostring(message, encoding="UTF-8", xml_declaration=True).decode()
        self._store.put(OUTBOX, name, {"body": body, "not_before": time.time() + after_s})

    def outgoing(self, *, everything: bool = False) -> list[tuple[str, str]]:
        """Messages that are due to be sent, or all that wait: (name, XML document), oldest first."""
        now = time.time()
        # A copy: deliveries are taken meanwhile, in other threads.
        waiting = sorted(list(self._store.load(OUTBOX).items()))  # noqa: C414
        return [(name, entry["body"]) for name, entry in waiting if everything or entry["not_before"] <= now]

    def sent(self, name: str) -> None:
        """A message has arrived."""
        self._store.delete(OUTBOX, name)

    def failed(self, name: str) -> None:
        """A message has not arrived: it is due again after a while."""
        entry = self._store.load(OUTBOX).get(name)
        if entry is not None:
            after_s = behaviour(self._store).repeat_after_s
            self._store.put(OUTBOX, name, {**entry, "not_before": time.time() + after_s})


def _status_of(record: Json, ledger: Ledger) -> Status:
    """The status of an action as it stands."""
    asked = Asked(**record["asked"])
    return Status(
        claim_id=asked.claim,
        action=asked.action,
        creditor=asked.creditor,
        code=record["status"],
        changed_at=datetime.fromisoformat(record["changed_at"]),
        claim=ledger.claim(asked.claim),
        rejections=tuple(
            Rejected(each["number"], each["text"], tuple(map(tuple, each["parameters"])))
            for each in record["rejections"]
        ),
        receipts=tuple(
            Receipt(claim_of(each["claim"]), None if each["interest"] is None else Decimal(each["interest"]))
            for each in record["receipts"]
        ),
    )


def rejection_json(decision: Rejected) -> Json:
    """A rejection as the record of an action keeps it."""
    return {
        "number": decision.number,
        "text": decision.text,
        "parameters": [list(each) for each in decision.parameters],
    }


def receipt_json(receipt: Receipt) -> Json:
    """A receipt as the record of an action keeps it."""
    return {"claim": json_of(receipt.claim), "interest": None if receipt.interest is None else str(receipt.interest)}
