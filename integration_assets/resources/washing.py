"""The washing index of our copy of the address register, and the folder that holds both."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.cache.register_checks import NATIONAL_FLOORS, Limits
from integration_assets.cache.register_store import RegisterStore
from integration_assets.cache.store import Cache
from integration_assets.cache.washing_store import has_washing_index, index_folder, open_washing_index
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.flows.address_providers import DawaHost, LocalRegister, Provider, WithSecondOpinion
from integration_assets.flows.washing import Washer
from integration_assets.resources.adressevask import AdressevaskResource
from integration_assets.resources.base import FromSettings
from integration_assets.resources.dawa import DawaResource
from integration_assets.settings import Settings


class WashingResource(FromSettings):
    """Opens what `addresses/washing_index` wrote; one opened index serves all assets of a run."""

    dawa: dg.ResourceDependency[DawaResource]
    adressevask: dg.ResourceDependency[AdressevaskResource]

    _index: WashingIndex | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path:
        """Where the copy of the register lies."""
        return self.settings.data_dir / "register"

    @property
    def index_folder(self) -> Path:
        """Where the index lies."""
        return index_folder(self.settings.data_dir)

    def store(self) -> RegisterStore:
        """The stored generations of the register."""
        floors = NATIONAL_FLOORS if self.settings.address_register_national else {}
        return RegisterStore(self.folder, Limits(min_rows=floors))

    @property
    def is_ready(self) -> bool:
        """Whether there is an index that these rules can read."""
        return has_washing_index(self.index_folder)

    def index(self) -> WashingIndex:
        """The index. Raises NoWashingIndex before the first load."""
        if self._index is None:
            self._index = open_washing_index(self.index_folder)
        return self._index

    def washer(self, cache: Cache) -> Washer:
        """Answers what address texts mean, and keeps the answers in the cache."""
        return Washer(self.index(), cache.washings, self._provider(), now=datetime.now(UTC))

    def _provider(self) -> Provider:
        """Who washes texts, as the settings have it."""
        provider: Provider = LocalRegister(self.index())
        if self.settings.address_provider == "dawa":
            host = self.dawa.get()
            provider = DawaHost(host.wash_units, host.wash_access)
        if self.settings.address_second_opinion == "adressevask":
            provider = WithSecondOpinion(provider, self.adressevask.get().second_opinion, self.index())
        return provider


def washing_resource(settings: Settings) -> WashingResource:
    """The resource with the others that it may need."""
    return WashingResource(
        settings=settings,
        dawa=DawaResource(settings=settings),
        adressevask=AdressevaskResource(settings=settings),
    )
