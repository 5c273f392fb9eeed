"""Recalls in a bad world: every fault of the debt authority, and processes killed at any moment, drawn by a seed."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.claim_ledger import ClaimLedger
from integration_assets.cache.recall_outbox import RecallOutbox
from integration_assets.cache.recalls import Decision, Recalls, Wish
from integration_assets.domain.claims.rules import Asked
from integration_assets.flows.claim_ledger import import_ledger
from integration_assets.flows.claim_statuses import ask_again, overdue
from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings
from integration_assets_tests.end_to_end.processes import FORKS
from integration_assets_tests.end_to_end.recall_expected import REFUSING, expected_states, twice
from integration_assets_tests.end_to_end.recall_plan import CREDITOR, Planned, planned
from integration_assets_tests.end_to_end.recall_processes import (
    DAY,
    SYSTEM,
    Outside,
    free_port,
    listen,
    send,
    take_in,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
FEW = 50
"""Actions up to which a seed is kept short."""
WATCH_DAYS = 5
"""Working days after which a recall without final status is overdue."""

Json = dict[str, Any]


@dataclass
class Outcome:
    """What became of a seed: states each time before people came (`before`, `later`) and at the end, what was done to
    it, what is wrong."""

    seed: int
    actions: int
    before: Counter[str] = field(default_factory=Counter)
    later: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    numbers: Counter[int] = field(default_factory=Counter)
    kills: int = 0
    deaths: int = 0
    requests: int = 0
    lost: int = 0
    rounds: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Chaos:
    """One seed: the product in processes of its own against a sandbox that has nothing but the debt authority."""

    def __init__(
        self, sandbox: Outside, cache_url: str, folder: Path, seed: int, actions: int, *, mortal: bool = False
    ) -> None:
        """`mortal`: the authority dies too, and comes back."""
        self.sandbox = sandbox
        self.mortal = mortal
        self.draw = random.Random(f"chaos {seed}")
        self.plan = planned(seed, actions)
        self.outcome = Outcome(seed, actions)
        self.now = datetime(2026, 3, 2, 8, tzinfo=UTC)
        self.folder = folder
        self.posts = seed % 2 == 0
        self.port = free_port()
        self._listening: BaseProcess | None = None
        self.given = {
            **sandbox.settings,
            "cache_url": cache_url,
            "business_day": DAY.isoformat(),
            "dmi_max_actions_per_delivery": self.draw.choice((1, 2, 5)),
            "dmi_timeout_seconds": 10.0,
        }
        settings = Settings(**self.given)
        self.cache = open_cache(settings)
        self.recalls = Recalls(self.cache.engine)
        self.outbox = RecallOutbox(self.cache.engine)
        self.wanted: dict[int, Planned] = {}
        """What each action is for, by its id."""

    def play(self) -> Outcome:
        """Hands over, approves, sends under fire, lets people clear up, and says what is wrong in the end."""
        begun = time.monotonic()
        try:
            self._hand_over()
            self._approve(self.plan.first)
            self._under_fire()
            self._run_out()
            self.outcome.before = self._check_before_people()
            self._later_wishes()
            self._under_fire()
            self._run_out()
            self.outcome.later = self._check_before_people()
            self._people_clear_up()
            self._check_end()
        finally:
            if self._listening is not None:
                self._listening.kill()
            self.cache.close()
        self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    def _hand_over(self) -> None:
        self.sandbox.post("/reset")
        told = f"http://127.0.0.1:{self.port}/dmi/MFAktionStatusOpdater" if self.posts else ""
        switches: Json = {"automatic": False, "seed": self.outcome.seed, "creditor_url": told}
        self.sandbox.post("/debt_authority/switches", {**switches, **self._moment()})
        self.sandbox.post("/debt_authority/claims", self.plan.there)
        path = self.folder / f"ledger-{self.outcome.seed}.csv"
        names = {"id": "claim_id", "main": "main_claim_id", "type": "type_code", "creditor": "creditor_id"}
        pl.DataFrame(self.plan.here).select(
            *(pl.col(old).alias(new) for old, new in names.items()),
            *("art", "amount", "state_refund"),
            pl.col("reference").alias("creditor_ref"),
            pl.col("received_at").str.head(10).alias("received_on"),
        ).write_csv(path)
        imported = import_ledger(ClaimLedger(self.cache.engine), path, None, DAY)
        assert imported.rejected.height == 0

    def _approve(self, wishes: list[Planned]) -> None:
        """Two people: one proposes, one approves. A wish that the product itself refuses is no action."""
        asked = [Wish(Asked(each.claim, each.reason), "chaos") for each in wishes]
        done = self.recalls.propose(asked, CREDITOR, DAY, "anna", self.now)
        ids = {one.action_id: wish for one, wish in zip(done, wishes, strict=True) if one.action_id is not None}
        if len(ids) < len(wishes):
            refused = [one.refusal for one in done if one.action_id is None]
            self.outcome.wrong.append(f"the product refuses {len(refused)} wishes: {refused[:2]}")
        self.wanted |= ids
        decided = self.recalls.decide(Decision.APPROVE, list(ids), "bent", self.now)
        assert all(one.state == "APPROVED" for one in decided)

    def _later_wishes(self) -> None:
        """What is recalled as wrong after a deferral: wanted once the deferral is carried out."""
        self._release_all()
        self._run_out()
        state = self._states()
        carried_out = {
            self.wanted[action].claim for action, name in state.items() if name == "UDFOERT" and action in self.wanted
        }
        self._approve([each for each in self.plan.later if each.claim in carried_out])

    def _under_fire(self) -> None:
        for _ in range(self.draw.randint(4, 7) if self.outcome.actions > FEW else 3):
            self._break_things()
            self._workers(killing=True)
            self._statuses(killing=True)
            self.outcome.rounds += 1
            if self.outbox.stopped() is not None and self.draw.random() < 0.7:
                self.recalls.open_channel("carl", self.now)
            due = self.outbox.due_at()
            self.now = max(self.now, due or self.now) + timedelta(seconds=self.draw.randint(1, 90))

    def _break_things(self) -> None:
        draw = self.draw
        numbers = draw.sample([number for group in REFUSING.values() for number in group], 6)
        self.sandbox.post(
            "/debt_authority/switches",
            {
                **self._moment(),
                "answers": {str(number): draw.uniform(0.02, 0.09) for number in numbers},
                "taken_share": draw.choice((0.0, 0.5, 1.0)),
                "garbled_share": draw.choice((0.0, 0.1)),
                "duplicate_number": draw.choice((990, 992)),
                "rejections": {"123": 0.03, "899": 0.02, "902": 0.02},
                "casework_share": draw.choice((0.0, 0.5)),
                "received_share": draw.choice((0.0, 0.5)),
                "duplicate_share": draw.choice((0.0, 0.3)),
                "reorder_share": draw.choice((0.0, 0.5)),
                "orphan_share": draw.choice((0.0, 0.05)),
            },
        )
        plan = {name: draw.choice((0.0, 0.0, 0.08)) for name in ("rate_500", "rate_503", "rate_429")}
        lost = {name: draw.choice((0.0, 0.12)) for name in ("rate_drop", "rate_timeout_after_commit")}
        latency = draw.choice((0, 5, 20))
        self.sandbox.post("/faults", {SYSTEM: {**plan, **lost, "latency_ms": latency, "seed": draw.randrange(10**6)}})

    def _run_out(self) -> None:
        """No more faults of connection or answer: all that is due goes out, and every status comes in."""
        self._mend_things()
        for _ in range(40):
            self._workers(killing=False)
            self._statuses(killing=False)
            if self.outbox.stopped() is not None:
                self.recalls.open_channel("carl", self.now)
            elif self.outbox.due_at() is None:
                return
            self.now = max(self.now, self.outbox.due_at() or self.now) + timedelta(seconds=1)
        self.outcome.wrong.append("deliveries are still due after forty rounds without a fault")

    def _mend_things(self) -> None:
        quiet: Json = {"answers": {}, "garbled_share": 0.0, "next_answers": [], **self._moment()}
        self.sandbox.post("/debt_authority/switches", quiet)
        self.sandbox.post("/faults", {SYSTEM: None})

    def _people_clear_up(self) -> None:
        """Weeks later people release what waits for them, ask again for what is overdue, propose anew what is open."""
        self.now += timedelta(days=21)
        self._release_all()
        self._run_out()
        stuck = [action for action, state in self._states().items() if state == "MANUAL" and action in self.wanted]
        self.recalls.decide(Decision.REJECT, stuck, "dora", self.now, "compared with the receipts: nothing was done")
        again = [self.wanted[action] for action in stuck]
        if again:
            self._approve(again)
            self._run_out()

    def _release_all(self) -> None:
        waiting = [action for action, state in self._states().items() if state in ("MANUAL", "HOLD")]
        self.recalls.decide(Decision.RELEASE, waiting, "carl", self.now)
        late = overdue(self.recalls, WATCH_DAYS, self.now)["action_id"].to_list()
        asked = ask_again(self.recalls, late, WATCH_DAYS, "carl", self.now)
        assert all(one.state is not None for one in asked)

    def _workers(self, *, killing: bool) -> None:
        """The outbox is emptied, by two processes at once where they may be killed; now and then the authority dies."""
        if not killing:
            send(self.given, self.now)
            return
        dying = self.mortal and self.draw.random() < 0.2
        self._run([send, send], self.sandbox.kill if dying else None)
        if dying:
            self.sandbox.revive()
            self.outcome.deaths += 1

    def _statuses(self, *, killing: bool) -> None:
        """The authority decides and sends; its statuses are taken in, from the folder or as they are posted."""
        if killing and self.draw.random() < 0.4:
            return
        if not self.posts:
            self.sandbox.post("/debt_authority/work", {})
            if killing:
                self._run([take_in])
            else:
                take_in(self.given, self.now)
            return
        listener = self._listener()
        dying = killing and self.draw.random() < 0.5
        timer = threading.Timer(self.draw.uniform(0.0, 0.15), listener.kill)
        if dying:
            timer.start()
            self.outcome.kills += 1
        self.sandbox.post("/debt_authority/work", {})
        timer.cancel()

    def _listener(self) -> BaseProcess:
        """The end point for statuses, begun anew where it was killed."""
        if self._listening is not None and self._listening.is_alive():
            return self._listening
        begun = FORKS.Event()
        self._listening = FORKS.Process(target=listen, args=(self.given, self.port, begun), daemon=True)
        self._listening.start()
        begun.wait(60)
        return self._listening

    def _run(self, works: list[Callable[..., None]], blow: Callable[[], None] | None = None) -> None:
        """Let processes work until they have nothing to do; a moment after they began, something may be killed.

        That is the first of the processes, or what `blow` kills.
        """
        begun = [FORKS.Event() for _ in works]
        processes = [
            FORKS.Process(target=work, args=(self.given, self.now, event), daemon=True)
            for work, event in zip(works, begun, strict=True)
        ]
        for process in processes:
            process.start()
        if blow is not None or self.draw.random() < 0.6:
            begun[0].wait(60)
            processes[0].join(self.draw.uniform(0.0, 0.25))
            if blow is not None:
                blow()
            elif processes[0].is_alive():
                processes[0].kill()
                self.outcome.kills += 1
        for process in processes:
            process.join(120)
            if process.exitcode not in (0, -signal.SIGKILL):
                self.outcome.wrong.append(f"a process ended with {process.exitcode}")

    def _check_before_people(self) -> Counter[str]:
        """Each action stands where the authority's books and the table of numbers say that it must; their number."""
        books = self.sandbox.get("/debt_authority/books")
        state = self._states()
        exhausted = self._exhausted()
        late = set(overdue(self.recalls, WATCH_DAYS, self.now + timedelta(days=21))["action_id"].to_list())
        for action in sorted(self.wanted):
            allowed = expected_states(str(action), books, exhausted=action in exhausted)
            if state[action] not in allowed:
                self.outcome.wrong.append(f"action {action} is {state[action]} and should be {' or '.join(allowed)}")
            if allowed == ("MODTAGET",) and action not in late:
                self.outcome.wrong.append(f"action {action} waits for ever and nobody is told")
        return Counter(state[action] for action in self.wanted)

    def _check_end(self) -> None:
        """Every action is decided as its claim asks for, nothing twice, nothing forgotten, and both books agree."""
        books = self.sandbox.get("/debt_authority/books")
        state = self._states()
        outcome = self.outcome
        outcome.after = Counter(state[action] for action in self.wanted)
        outcome.numbers = Counter(arrival["number"] for arrival in books["arrivals"])
        outcome.requests = self.sandbox.get("/requests/summary").get(SYSTEM, {}).get("total", 0)
        by_status = self.sandbox.get("/requests/summary").get(SYSTEM, {}).get("by_status", {})
        outcome.lost = sum(count for status, count in by_status.items() if status != "200")
        outcome.wrong += twice(books) + self._forgotten(books, state) + self._disagreements(books)

    def _forgotten(self, books: Mapping[str, Any], state: Mapping[int, str]) -> list[str]:
        wrong: list[str] = []
        chance = {"123", "899", "902"}
        for action, wish in sorted(self.wanted.items()):
            record = books["actions"].get(str(action))
            if state[action] == "WITHDRAWN":
                if record is not None:
                    wrong.append(f"action {action} was withdrawn and the authority has it")
                continue
            if record is None:
                wrong.append(f"action {action} ({wish.claim} {wish.reason}) never came to the authority")
                continue
            by_chance = [each for each in record["rejections"] if str(each["number"]) in chance]
            expected = "UDFOERT" if wish.fits and not by_chance else "AFVIST"
            if record["status"] != expected or state[action] != expected:
                text = f"is {state[action]} here, {record['status']} there, and should be {expected}"
                wrong.append(f"action {action} ({wish.claim} {wish.reason}) {text}")
        return wrong

    def _disagreements(self, books: Mapping[str, Any]) -> list[str]:
        """Claims that are recalled on one side only, or for another reason; and any that nobody wanted recalled."""
        families = self.plan.families
        wanted: dict[int, str] = {}
        for action, wish in self.wanted.items():
            if books["actions"].get(str(action), {}).get("status") == "UDFOERT":
                for claim in families[wish.claim]:
                    if wanted.get(claim) != "FEJL":
                        wanted[claim] = wish.reason
        there = {int(key): claim["recall"]["reason"] for key, claim in books["claims"].items() if claim["recall"]}
        query = "SELECT claim_id, recalled_for FROM claim WHERE recalled_for IS NOT NULL"
        here = dict(self._rows(query))
        wrong = [f"claim {claim} is recalled there and not wanted" for claim in sorted(set(there) - set(wanted))]
        wrong += [f"claim {claim} is wanted and not recalled there" for claim in sorted(set(wanted) - set(there))]
        wrong += [
            f"claim {claim} is recalled for {there.get(claim)} there and {here.get(claim)} here"
            for claim in sorted({*there, *here})
            if there.get(claim) != here.get(claim)
        ]
        return wrong

    def _exhausted(self) -> set[int]:
        """Actions of deliveries that failed as often as a caller tries: nine times."""
        query = "SELECT a.action_id FROM recall_action a JOIN recall_delivery d USING (delivery_id) WHERE d.tries > 8"
        return {action for (action,) in self._rows(query)}

    def _states(self) -> dict[int, str]:
        return dict(self._rows("SELECT action_id, state FROM recall_action"))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.cache.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def _moment(self) -> Json:
        return {"now": self.now.astimezone(COPENHAGEN).replace(tzinfo=None, microsecond=0).isoformat()}


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """The outcomes for people: a line for each seed. States each time before people came, and in the end.

    `failed` requests had no good answer; `refused` arrivals were answered with an error number.
    """
    waiting = ("UDFOERT", "AFVIST", "MODTAGET", "MANUAL", "HOLD")
    short = " ".join(f"{name[:4]:>4}" for name in waiting)
    yield f"seed actions requests failed refused kills | {short} | {short} | UDFO AFVI WITH | wrong seconds"
    for each in outcomes:
        refused = sum(count for number, count in each.numbers.items() if number)
        states = [" ".join(f"{found[name]:4}" for name in waiting) for found in (each.before, each.later)]
        after = " ".join(f"{each.after[name]:4}" for name in ("UDFOERT", "AFVIST", "WITHDRAWN"))
        dead = each.kills + each.deaths
        yield (
            f"{each.seed:4} {sum(each.after.values()):7} {each.requests:8} {each.lost:6} {refused:7} "
            f"{dead:5} | {states[0]} | {states[1]} | {after} | {len(each.wrong):5} {each.seconds:7.1f}"
        )
