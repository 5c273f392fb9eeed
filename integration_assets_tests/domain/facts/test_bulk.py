"""The garbage collector is at its own pace again afterwards, whatever happened."""

import gc

import pytest

from integration_assets.domain.facts.bulk import rarely_collected


def spoiled() -> None:
    """Something that fails while the collector waits."""
    with rarely_collected():
        assert gc.isenabled()
        assert gc.get_threshold()[0] > 10 * 700
        raise ValueError("spoiled")


def test_the_collector_waits_meanwhile_and_goes_on_afterwards() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="spoiled"):
        spoiled()
    assert gc.get_threshold() == before
