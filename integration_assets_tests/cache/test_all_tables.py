"""Who goes through all tables of the cache knows all of them, also in a process that has imported nothing else."""

import subprocess
import sys

from integration_assets.cache.all_tables import metadata

COUNTED = """
import integration_assets.cache.person_data as person_data
print(*sorted(person_data.metadata.tables))
"""


def test_a_request_of_a_person_looks_through_every_table() -> None:
    """The tables of billing, claims and supervision are declared in modules of their own."""
    told = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True).stdout.split()
    assert {"agreement_event", "installation_account"} <= set(told)
    assert told == sorted(metadata.tables)
