"""The whole address register of a download service as one frame, for tests that look at what its files hold."""

from pathlib import Path

import polars as pl

from integration_assets.clients.address_files import entity_rows
from integration_assets.clients.address_register import AddressRegister
from integration_assets.domain.addresses.dar_frames import register_frames
from integration_assets.domain.addresses.dar_tables import DAR_TABLES
from integration_assets.domain.addresses.flat_register import flat


def whole_register(client: AddressRegister, folder: Path) -> tuple[pl.DataFrame, int]:
    """The rows of ADDRESS_REGISTER, fetched by way of `folder`, and how many units had no access address."""
    total = client.fetch_totals(folder, "current")
    tables = {
        entity: pl.concat([DAR_TABLES[entity].to_frame(), *entity_rows(entity, file.path)])
        for entity, file in total.files.items()
    }
    frames, homeless = register_frames(total.generation, tables.__getitem__)
    return flat(frames), homeless
