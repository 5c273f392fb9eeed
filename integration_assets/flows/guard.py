"""Whether a run may change as much as it is about to: the limits of the settings, by outside system."""

from integration_assets.domain.gates import GateClosed, require_plausible_changes
from integration_assets.settings import Settings

LET_THROUGH = "integration/let_through"
"""Tag by which a run is told to go on however much it changes; its value is "yes"."""


def check_changes(settings: Settings, system: str, entity: str, *, new: int, changed: int, unchanged: int) -> None:
    """Passes when a run may create and change so many objects of an entity.

    Raises GateClosed, with a sentence that says how to let it through, when that is implausibly much.
    """
    most, share = f"{system}_max_changes", f"{system}_max_changed_share"
    try:
        require_plausible_changes(
            new,
            changed,
            changed + unchanged,
            f"{system}/{entity}",
            most=getattr(settings, most),
            largest_share=getattr(settings, share),
            tolerated=settings.tolerated_rows,
        )
    except GateClosed as closed:
        raise GateClosed(
            f"{closed} `integration-assets plan` shows them. When they are right, start the run again with the tag "
            f"{LET_THROUGH}=yes, or raise INTEGRATION_{most.upper()} or INTEGRATION_{share.upper()} for it."
        ) from None
