"""The debt authority at work: deliveries come in and are taken or refused, actions are decided.

Belongs here: the order of the checks, and what is remembered of transactions and actions. Each step is one transaction
of the store. What creditors are told afterwards, `outbox` knows.
"""

import threading
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from integration_assets.sandbox.debt_authority.behaviour import TEXTS, UNCERTAIN, Behaviour, behaviour, next_answer
from integration_assets.sandbox.debt_authority.books import (
    ACTIONS,
    ARRIVALS,
    CASEWORK,
    EXECUTED,
    PENDING,
    RECEIVED,
    REJECTED,
    TRANSACTIONS,
    books,
    count,
    present,
)
from integration_assets.sandbox.debt_authority.ledger import Ledger, claim_of
from integration_assets.sandbox.debt_authority.outbox import Outbox, receipt_json, rejection_json
from integration_assets.sandbox.debt_authority.rules import Asked, Decision, Rejected, decided, rejected
from integration_assets.sandbox.debt_authority.wire_in import INVALID, Delivery, Refused, delivery_of, transaction_of
from integration_assets.sandbox.debt_authority.wire_out import Info, Status, received, refused
from integration_assets.sandbox.soap import Element
from integration_assets.sandbox.store import Store

CREDITOR_SYSTEM: Final = "99999999"
CREDITOR: Final = 1999

_AT_ONCE: Final = 200
_GARBLED: Final = b"<html><body><h1>502 Bad Gateway</h1></body>"

Json = dict[str, Any]


class Desk:
    """Takes deliveries, decides actions, and keeps the messages that are to be sent. Safe to use from threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ledger = Ledger(store)
        self._outbox = Outbox(store)
        self._lock = threading.RLock()

    def take(self, text: bytes) -> tuple[list[int], Element | bytes]:
        """Take a delivery: its action ids, and the answer. Raises SoapFault for what is no delivery at all."""
        transaction, message = transaction_of(text)
        with self._lock, self._store.together():
            rules = behaviour(self._store)
            at = present(self._store, rules)
            delivery = None
            try:
                delivery = delivery_of(transaction, message)
                self._admit(rules, delivery)
                number = self._mishap(rules, delivery)
                taken = number == 0 or (
                    number in UNCERTAIN and rules.chance(rules.taken_share, "taken", count(self._store, "tries"))
                )
                if number not in UNCERTAIN or taken:
                    self._register(delivery)
                if taken:
                    self._accept(rules, delivery, at)
                if number:
                    raise Refused(number, TEXTS.get(number, f"Fejl {number}"))
                answer = received(transaction, at, self._info(delivery))
                self._note(transaction, delivery, 0, taken=True)
            except Refused as refusal:
                self._note(transaction, delivery, refusal.number, taken=delivery is not None and self._has(delivery))
                answer = refused(transaction, at, refusal.number, refusal.text)
            ids = [] if delivery is None else [action.action for action in delivery.actions]
            garbled = rules.chance(rules.garbled_share, "garbled", count(self._store, "garbled"))
            return ids, _GARBLED if garbled else answer

    def _admit(self, rules: Behaviour, delivery: Delivery) -> None:
        """The checks at once, in their order. Raises Refused."""
        if rules.closed:
            raise Refused(991, TEXTS[991])
        own = all(action.creditor == CREDITOR for action in delivery.actions)
        if delivery.creditor_system != CREDITOR_SYSTEM or not own:
            raise Refused(994, TEXTS[994])
        if delivery.transaction in self._store.load(TRANSACTIONS):
            raise Refused(rules.duplicate_number, TEXTS[rules.duplicate_number])
        known = self._store.load(ACTIONS)
        for action in delivery.actions:
            earlier = known.get(str(action.action))
            if earlier is not None and earlier["asked"] != vars(action):
                self._register(delivery)
                raise Refused(INVALID, f"MFAktionID {action.action}: aktionen er kendt med andet indhold")

    def _mishap(self, rules: Behaviour, delivery: Delivery) -> int:
        """The error number that a good delivery gets all the same; 0 for none."""
        ordered = next_answer(self._store)
        return rules.error(delivery.transaction, count(self._store, "answers")) if ordered is None else ordered

    def _register(self, delivery: Delivery) -> None:
        """Use a transaction id up."""
        self._store.put(TRANSACTIONS, delivery.transaction, {"digest": delivery.digest})

    def _accept(self, rules: Behaviour, delivery: Delivery, at: datetime) -> None:
        """Keep the actions. One that is known already is not done again: its creditor is told how it stands."""
        known = self._store.load(ACTIONS)
        again: list[int] = []
        due = time.time() + rules.process_after_s
        for action in delivery.actions:
            key = str(action.action)
            if key in known:
                again.append(action.action)
                continue
            record = {
                "asked": dict(vars(action)),
                "system": delivery.creditor_system,
                "leverance": delivery.leverance,
                "received_at": at.isoformat(),
                "status": RECEIVED,
                "changed_at": at.isoformat(),
                "rejections": [],
                "receipts": [],
                "held": [],
            }
            self._store.put(ACTIONS, key, record)
            self._store.put(PENDING, key, {"due": due, "number": count(self._store, "pending")})
            if rules.chance(rules.received_share, "received", key):
                self._outbox.tell(rules, [action.action])
        decided_already = [number for number in again if known[str(number)]["status"] != RECEIVED]
        self._outbox.tell(rules, decided_already)

    def _has(self, delivery: Delivery) -> bool:
        known = self._store.load(ACTIONS)
        return all(str(action.action) in known for action in delivery.actions)

    def _note(self, transaction: str, delivery: Delivery | None, number: int, *, taken: bool) -> None:
        """Remember that a delivery arrived and how it was answered."""
        entry = {
            "transaction": transaction,
            "digest": None if delivery is None else delivery.digest,
            "actions": [] if delivery is None else [action.action for action in delivery.actions],
            "number": number,
            "taken": taken,
        }
        self._store.put(ARRIVALS, f"{count(self._store, 'arrivals'):09d}", entry)

    def _info(self, delivery: Delivery) -> Info:
        """What the answer says of a delivery: its actions have been received."""
        known = self._store.load(ACTIONS)
        statuses = tuple(
            Status(
                action.claim,
                action.action,
                action.creditor,
                RECEIVED,
                datetime.fromisoformat(known[str(action.action)]["received_at"]),
                self._ledger.claim(action.claim),
            )
            for action in delivery.actions
        )
        return Info(delivery.creditor_system, delivery.leverance, statuses)

    def work(self, *, everything: bool = False) -> int:
        """Go on with actions that are due, or with all of them, so many in a transaction; how many there were."""
        with self._lock, self._store.together():
            rules = behaviour(self._store)
            if not everything and not rules.automatic:
                return 0
            pending: dict[str, Json] = self._store.load(PENDING)
            due = sorted(
                (entry["number"], key) for key, entry in pending.items() if everything or entry["due"] <= time.time()
            )
            told = [int(key) for _, key in due[:_AT_ONCE]]
            for key in map(str, told):
                self._step(rules, key)
            self._outbox.tell(rules, told)
            return len(told)

    def _step(self, rules: Behaviour, key: str) -> None:
        """Let one action go to a caseworker, or decide it."""
        record = self._store.load(ACTIONS)[key]
        asked = Asked(**record["asked"])
        # Each status of an action is later than the one before.
        at = max(present(self._store, rules), datetime.fromisoformat(record["changed_at"]) + timedelta(seconds=1))
        changed = {**record, "changed_at": at.isoformat()}
        if record["status"] == RECEIVED and rules.chance(rules.casework_share, "casework", key):
            self._store.put(ACTIONS, key, {**changed, "status": CASEWORK})
            again = {"due": time.time() + rules.process_after_s, "number": count(self._store, "pending")}
            self._store.put(PENDING, key, again)
            return
        decision = self._decided(rules, asked, at)
        if isinstance(decision, Rejected):
            changed |= {"status": REJECTED, "rejections": [rejection_json(decision)]}
        else:
            self._ledger.post(receipt.claim for receipt in decision)
            changed |= {"status": EXECUTED, "receipts": [receipt_json(receipt) for receipt in decision]}
        self._store.put(ACTIONS, key, changed)
        self._store.delete(PENDING, key)

    def _decided(self, rules: Behaviour, asked: Asked, at: datetime) -> Decision:
        number = rules.rejection(asked.action)
        if number:
            return rejected(asked, number)
        claim = self._ledger.claim(asked.claim)
        subordinate = self._ledger.subordinate(claim.id) if claim is not None and claim.id == claim.main else []
        return decided(asked, claim, subordinate, at)

    def books(self) -> Json:
        """What is on the books (see `books`)."""
        with self._lock:
            return books(self._store)

    def hand_over(self, claims: Iterable[Json]) -> int:
        """Take over claims (as `ledger.json_of` writes them) and keep them; how many."""
        with self._lock:
            taken = [claim_of({"recall": None, "payments": [], **claim}) for claim in claims]
            self._ledger.write(taken)
            return len(taken)
