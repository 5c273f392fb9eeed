"""The open cache as one thing: its engine, its cipher and the stores on it."""

from collections.abc import Sequence
from functools import cached_property

import polars as pl
import sqlalchemy as sa

from integration_assets.cache import snapshots
from integration_assets.cache.acknowledgements import Acknowledgements
from integration_assets.cache.adoptions import Adoptions
from integration_assets.cache.agreement_events import AgreementEvents
from integration_assets.cache.alarms import Alarms
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.corrections import Corrections
from integration_assets.cache.deliveries import Deliveries
from integration_assets.cache.drift import Drifts
from integration_assets.cache.facts import Facts
from integration_assets.cache.following import Following
from integration_assets.cache.interactions import InteractionStates
from integration_assets.cache.journal import Journal
from integration_assets.cache.mail_outbox import MailOutbox
from integration_assets.cache.merge import read_partition
from integration_assets.cache.register_answers import RegisterAnswers
from integration_assets.cache.rejections import Rejections
from integration_assets.cache.tariff_books import TariffBooks
from integration_assets.cache.washings import Washings
from integration_assets.cache.worklist import Worklist
from integration_assets.domain.schema import EntityTable

SEALED_ENTITIES = frozenset({"customers", "contacts"})
"""Entities whose payloads hold personal numbers: encrypted at rest as a whole."""


class Cache:
    """Gives the stores of a migrated database. Personal numbers are encrypted with `cipher`, or the key of a secret."""

    def __init__(self, engine: sa.Engine, cipher: Cipher | str, *, retry_base_seconds: float = 30.0) -> None:
        self.engine = engine
        self.cipher = Cipher.from_secret(cipher) if isinstance(cipher, str) else cipher
        self._retry_base_seconds = retry_base_seconds
        self._kept: tuple[str, tuple[object, ...], pl.DataFrame] | None = None

    @cached_property
    def deliveries(self) -> Deliveries:
        """Desired against delivered state, per outside system and object."""
        return Deliveries(
            self.engine,
            self.cipher,
            sealed_entities=SEALED_ENTITIES,
            backoff_base_seconds=self._retry_base_seconds,
        )

    @cached_property
    def drifts(self) -> Drifts:
        """What outside systems hold otherwise than it was delivered."""
        return Drifts(self.engine, self.cipher)

    @cached_property
    def adoptions(self) -> Adoptions:
        """Which uuids our objects have in a registry that had them before us."""
        return Adoptions(self.engine)

    @cached_property
    def rejections(self) -> Rejections:
        """What could not be processed, and why."""
        return Rejections(self.engine)

    @cached_property
    def journal(self) -> Journal:
        """One row per run and step."""
        return Journal(self.engine)

    @cached_property
    def answers(self) -> RegisterAnswers:
        """Answers of the person and company registers, and the audit of questions."""
        return RegisterAnswers(self.engine, self.cipher)

    @cached_property
    def following(self) -> Following:
        """Subscriptions, event deliveries taken in, and who is to be asked again."""
        return Following(self.engine, self.cipher)

    @cached_property
    def corrections(self) -> Corrections:
        """What operators corrected of the past."""
        return Corrections(self.engine)

    @cached_property
    def agreement_events(self) -> AgreementEvents:
        """What happened to agreements, and how far each of them is followed."""
        return AgreementEvents(self.engine)

    @cached_property
    def facts(self) -> Facts:
        """Facts of installations, and the journal of the processes that wrote them."""
        return Facts(self.engine)

    @cached_property
    def tariff_books(self) -> TariffBooks:
        """Operands, templates and prices, in every version that was in force."""
        return TariffBooks(self.engine)

    @cached_property
    def washings(self) -> Washings:
        """What address texts were found to mean, and what operators decided."""
        return Washings(self.engine)

    @cached_property
    def interactions(self) -> InteractionStates:
        """The state of the interactions by folder."""
        return InteractionStates(self.engine)

    @cached_property
    def alarms(self) -> Alarms:
        """What is wrong, and what was."""
        return Alarms(self.engine)

    @cached_property
    def acknowledgements(self) -> Acknowledgements:
        """Who took note of what is wrong."""
        return Acknowledgements(self.engine)

    @cached_property
    def mails(self) -> MailOutbox:
        """Mails that wait to be sent, and those that were."""
        return MailOutbox(self.engine)

    @cached_property
    def worklist(self) -> Worklist:
        """What waits for a person."""
        return Worklist(self.engine)

    def read(
        self,
        table: EntityTable,
        partitions: list[str] | None = None,
        *,
        include_vanished: bool = False,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """The rows of a table, of all partitions or of these; all columns or these."""
        return read_partition(
            self.engine, table, partitions, cipher=self.cipher, include_vanished=include_vanished, columns=columns
        )

    def read_whole(self, table: EntityTable) -> pl.DataFrame:
        """The living rows of all partitions, as `read`; the last frame is kept until a merge changes the table.

        For tables without supply areas: the address register would otherwise be read by every asset of a run.
        """
        with self.engine.connect() as connection:
            version = snapshots.version(connection, table.name)
        if self._kept is None or self._kept[:2] != (table.name, version):
            self._kept = None  # not both frames at once
            self._kept = (table.name, version, self.read(table))
        return self._kept[2]

    def close(self) -> None:
        """Returns the connections."""
        self.engine.dispose()
