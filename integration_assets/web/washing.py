"""The washing index of the data directory, opened when a decision needs it and again when a newer one is in use."""

import threading
from pathlib import Path

from integration_assets.cache.washing_store import index_folder, open_washing_index, version_in_use
from integration_assets.domain.addresses.washing import WashingIndex


class WashingRegister:
    """Gives the index in use. It lies in files that all processes of the machine share."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = index_folder(data_dir)
        self._lock = threading.Lock()
        self._open: tuple[str, WashingIndex] | None = None

    def index(self) -> WashingIndex:
        """The index in use. Raises NoWashingIndex."""
        with self._lock:
            version = version_in_use(self._folder)
            if self._open is None or self._open[0] != version:
                self._open = None
                index = open_washing_index(self._folder)
                self._open = (version or "", index)
            return self._open[1]
