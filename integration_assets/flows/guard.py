"""Whether a run may change as much as it is about to: the limits of the settings, by outside system."""

from collections.abc import Callable, Sequence
from datetime import datetime

from integration_assets.cache.deliveries import DesireCounts
from integration_assets.cache.let_throughs import LetThrough, LetThroughs
from integration_assets.domain.gates import GateClosed, require_plausible_changes
from integration_assets.settings import Settings

LET_THROUGH = "integration/let_through"
"""Tag by which a run is told to go on however much it changes; its value is "yes"."""


def check_changes(settings: Settings, system: str, entity: str, counts: DesireCounts) -> None:
    """Passes when a run may create and change so many objects of an entity.

    Raises GateClosed, with a sentence that says how to let it through, when that is implausibly much.
    """
    most, share = f"{system}_max_changes", f"{system}_max_changed_share"
    try:
        require_plausible_changes(
            counts.new,
            counts.changed,
            counts.changed + counts.unchanged,
            f"{system}/{entity}",
            most=getattr(settings, most),
            largest_share=getattr(settings, share),
            tolerated=settings.tolerated_rows,
        )
    except GateClosed as closed:
        raise GateClosed(
            f"{closed} `integration-assets plan` shows them. When they are right, let them through once with "
            f"`integration-assets plan --let-through REASON`, start the run again with the tag {LET_THROUGH}=yes, or "
            f"raise INTEGRATION_{most.upper()} or INTEGRATION_{share.upper()} for it."
        ) from None


def guard(
    settings: Settings,
    let_throughs: LetThroughs,
    system: str,
    entity: str,
    areas: Sequence[str],
    run_id: str,
    now: datetime,
    told: Callable[[LetThrough], None],
) -> Callable[[DesireCounts], None]:
    """A check for `Deliveries.desire`: as `check_changes`, but what an operator let through passes, and `told` hears
    it.

    What was let through counts once: a run that fails afterwards has stated what it wants and is not stopped again.
    """

    def check(counts: DesireCounts) -> None:
        try:
            check_changes(settings, system, entity, counts)
        except GateClosed:
            passed = let_throughs.use(system, entity, areas, counts.new + counts.changed, run_id, now)
            if passed is None:
                raise
            told(passed)

    return check
