"""Gates: what passes, what does not, and what the sentence says."""

import polars as pl
import pytest

from integration_assets.domain.gates import (
    GateClosed,
    require_complete,
    require_known,
    require_plausible_changes,
    require_plausible_share,
    require_unique,
)

ROWS = pl.DataFrame(
    {"object_id": ["a", "b", "c"], "business_key": ["1001", "1002", "1003"], "party_id": ["p", None, "q"]}
)


def test_unique_keys_pass() -> None:
    require_unique(ROWS, ["object_id"], "Customer roles")
    require_unique(ROWS.clear(), ["object_id"], "Customer roles")


def test_doubled_keys_are_named_by_what_an_operator_knows() -> None:
    doubled = pl.concat([ROWS, ROWS.head(1).with_columns(business_key=pl.lit("1009"))])
    with pytest.raises(GateClosed, match=r"Customer roles: 2 rows share .*1001, 1009"):
        require_unique(doubled, ["object_id"], "Customer roles")


def test_long_lists_are_shortened() -> None:
    rows = pl.DataFrame({"object_id": ["same"] * 8, "business_key": [str(number) for number in range(8)]})
    with pytest.raises(GateClosed, match="0, 1, 2, 3, 4 and 3 more"):
        require_unique(rows, ["object_id"], "Rows")


def test_missing_values_close_the_gate() -> None:
    require_complete(ROWS, ["object_id"], "Customer roles")
    with pytest.raises(GateClosed, match=r"1 of 3 rows have no party_id, e\.g\. 1002"):
        require_complete(ROWS, ["object_id", "party_id"], "Customer roles")


def test_references_into_nowhere_close_the_gate() -> None:
    require_known(ROWS, "party_id", pl.Series(["p", "q"]), "Customer roles", "customer")
    with pytest.raises(GateClosed, match=r"1 of 3 rows point at a customer that does not exist, e\.g\. 1003"):
        require_known(ROWS, "party_id", pl.Series(["p"]), "Customer roles", "customer")
    with pytest.raises(GateClosed, match="2 of 3"):
        require_known(ROWS, "party_id", pl.Series([], dtype=pl.String), "Customer roles", "customer")


@pytest.mark.parametrize(("affected", "total"), [(0, 0), (20, 20), (0, 1000), (50, 1000), (5, 10)])
def test_plausible_shares_pass(affected: int, total: int) -> None:
    require_plausible_share(affected, total, "Vanished rows", largest_share=0.05)


@pytest.mark.parametrize(("affected", "total"), [(51, 1000), (21, 21), (21, 0)])
def test_implausible_shares_close_the_gate(affected: int, total: int) -> None:
    with pytest.raises(GateClosed, match=f"Vanished rows: {affected} of {total} rows"):
        require_plausible_share(affected, total, "Vanished rows", largest_share=0.05)


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="shares"):
        require_plausible_share(1, 1, "Vanished rows", largest_share=5)


def test_a_first_load_and_a_few_changes_pass() -> None:
    require_plausible_changes(1000, 0, 0, "crm/accounts", most=None, largest_share=0.5)
    require_plausible_changes(0, 20, 20, "crm/accounts", most=None, largest_share=0.5)
    require_plausible_changes(500, 50, 100, "crm/accounts", most=550, largest_share=0.5)


def test_more_changes_than_allowed_or_plausible_close_the_gate() -> None:
    with pytest.raises(GateClosed, match=r"crm/accounts: 51 of 100 rows \(51\.0%\) would change, more than the 50\.0%"):
        require_plausible_changes(0, 51, 100, "crm/accounts", most=None, largest_share=0.5)
    with pytest.raises(GateClosed, match="7 rows would be created and 4 changed, more than the 10 allowed"):
        require_plausible_changes(7, 4, 1000, "crm/accounts", most=10, largest_share=0.5)
