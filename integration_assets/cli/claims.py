"""`integration-assets claims`: claims under collection and their recalls, for the people who decide on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from integration_assets.cli.opened import (
    UNCONFIGURED,
    DataDirOption,
    JsonOption,
    opened_cache,
    refuse,
    settings_of,
    who,
)

if TYPE_CHECKING:  # imported by what needs them: the other commands start without
    from integration_assets.cache.recalls import Decision
    from integration_assets.cache.store import Cache
    from integration_assets.flows.recalls import Means
    from integration_assets.resources.debt_authority import DebtAuthorityResource

NOT_ALL = 1
"""Exit code: something that was asked for was not possible, or a person must look at something."""

claims = typer.Typer(
    help="Claims under collection (fordringer) and their recalls (tilbagekald).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Actions = Annotated[list[int], typer.Argument(metavar="ACTION…", help="Numbers of recalls, as list shows them.")]
By = Annotated[str | None, typer.Option(help="Who decides; the user of the operating system when not given.")]
Note = Annotated[str | None, typer.Option(help="A remark that is kept with the decision.")]


@claims.command("list")
def list_recalls(
    state: Annotated[list[str] | None, typer.Option(help="Only recalls in this state; may be repeated.")] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Shows recalls: all that are open, or those of the states named."""
    from integration_assets.cli.claims_tables import print_recalls

    with _opened(data_dir) as (cache, authority):
        found = authority.recalls(cache).listed([each.upper() for each in state or []] or None)
    print_recalls(found, as_json=as_json)


@claims.command()
def show(
    action: Annotated[int, typer.Argument(help="Number of a recall, as list shows it.")],
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Shows a recall and all that happened to it: who decided what, each sending with its answer, the receipts.

    Exits with 2 when there is no such recall.
    """
    from integration_assets.cli.claims_tables import print_story

    with _opened(data_dir) as (cache, authority):
        recalls = authority.recalls(cache)
        found, story = recalls.listed(action_ids=[action]), recalls.story(action)
    if found.is_empty():
        refuse(f"There is no action {action}.")
    print_story(found, story, as_json=as_json)


@claims.command()
def propose(
    claim: Annotated[int, typer.Argument(help="Number of the claim (DMIFordringID).")],
    reason: Annotated[str, typer.Option(help="Reason code: FEJL, BORD, HENS, KLAG, HAFT or SMTI.")],
    why: Annotated[str, typer.Option(help="Why, in a sentence for whoever approves it.")],
    effective_from: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day you insist on.")] = None,
    by: By = None,
    data_dir: DataDirOption = None,
) -> None:
    """Proposes the recall of a claim; of a main claim with all its sub-claims.

    Exits with 2 and the number of the rule when it may not be recalled.
    """
    from integration_assets.cache.recalls import Wish
    from integration_assets.domain.claims.rules import Asked

    day = None if effective_from is None else effective_from.date()
    with _opened(data_dir) as (cache, authority):
        wish = Wish(Asked(claim, reason.upper(), day), why)
        now = datetime.now(UTC)
        (done,) = authority.recalls(cache).propose([wish], authority.creditor_id, _today(authority), by or who(), now)
    if done.refusal is not None:
        refuse(f"{done.refusal.number:03}: {done.refusal.sentence} Nothing was proposed.")
    print(f"Action {done.action_id} is PROPOSED; it is sent once it is approved.")


@claims.command()
def approve(
    actions: Actions,
    yes_irreversible: Annotated[
        bool, typer.Option("--yes-irreversible", help="Approves recalls too that nothing brings back (FEJL).")
    ] = False,
    by: By = None,
    note: Note = None,
    data_dir: DataDirOption = None,
) -> None:
    """Approves recalls; the next sending takes them. What nothing brings back is asked for twice.

    Exits with 1 when one of them was not possible.
    """
    from integration_assets.cache.recalls import Decision
    from integration_assets.domain.claims.reasons import REASONS

    with _opened(data_dir) as (cache, authority):
        found = authority.recalls(cache).listed(action_ids=actions)
        lasting = [row for row in found.iter_rows(named=True) if REASONS[row["reason"]].is_irreversible]
        if lasting and not yes_irreversible:
            for row in lasting:
                told = f"{row['reason']} of claim {row['claim_id']} ({row['creditor_ref']}, {row['amount']} DKK)"
                print(f"{told} cannot be undone.")
            if typer.prompt("Type IRREVERSIBLE to approve", default="", show_default=False) != "IRREVERSIBLE":
                refuse("Nothing was approved.")
        _decide(cache, authority, Decision.APPROVE, actions, by, note)


@claims.command()
def reject(actions: Actions, by: By = None, note: Note = None, data_dir: DataDirOption = None) -> None:
    """Gives recalls up that the authority does not have. Exits with 1 when one of them was not possible."""
    from integration_assets.cache.recalls import Decision

    with _opened(data_dir) as (cache, authority):
        _decide(cache, authority, Decision.REJECT, actions, by, note)


@claims.command()
def hold(actions: Actions, by: By = None, note: Note = None, data_dir: DataDirOption = None) -> None:
    """Puts recalls on hold that were not sent yet. Exits with 1 when one of them was not possible."""
    from integration_assets.cache.recalls import Decision

    with _opened(data_dir) as (cache, authority):
        _decide(cache, authority, Decision.HOLD, actions, by, note)


@claims.command()
def release(
    actions: Annotated[list[int] | None, typer.Argument(metavar="[ACTION…]", help="Numbers of recalls.")] = None,
    channel: Annotated[
        bool, typer.Option("--channel", help="Opens the channel again, with all that waits for it.")
    ] = False,
    by: By = None,
    note: Note = None,
    data_dir: DataDirOption = None,
) -> None:
    """Lets recalls go on: as they were before a hold, or to be sent again at once, with all of their delivery.

    Exits with 1 when one of them was not possible.
    """
    from integration_assets.cache.recalls import Decision
    from integration_assets.cli.claims_tables import print_decided

    with _opened(data_dir) as (cache, authority):
        if channel:
            print("The channel to the debt authority is open.")
            print_decided(authority.recalls(cache).open_channel(by or who(), datetime.now(UTC)))
        if actions:
            _decide(cache, authority, Decision.RELEASE, actions, by, note)
        elif not channel:
            refuse("Name recalls to release, or --channel.")


@claims.command()
def issues(
    close: Annotated[list[int] | None, typer.Option(help="Closes the issue of this number; may be repeated.")] = None,
    by: By = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Shows what a person must look at: statuses that fit nothing, receipts that differ, write-downs to be made.

    Exits with 1 when something is open.
    """
    from integration_assets.cli.claims_tables import print_issues

    with _opened(data_dir) as (cache, authority):
        recalls = authority.recalls(cache)
        if close:
            recalls.close_issues(close, by or who(), datetime.now(UTC))
        found = recalls.issues()
    print_issues(found, as_json=as_json)
    raise typer.Exit(0 if found.is_empty() else NOT_ALL)


@claims.command()
def overdue(as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Shows recalls without a final status after the working days that the settings give the authority.

    Exits with 1 when there are any.
    """
    from integration_assets.cli.claims_tables import print_recalls
    from integration_assets.flows.claim_statuses import overdue as overdue_recalls

    with _opened(data_dir) as (cache, authority):
        days = authority.settings.dmi_answer_working_days
        found = overdue_recalls(authority.recalls(cache), days, datetime.now(UTC))
    print_recalls(found, as_json=as_json)
    raise typer.Exit(0 if found.is_empty() else NOT_ALL)


@claims.command("ask-again")
def ask_again(actions: Actions, by: By = None, note: Note = None, data_dir: DataDirOption = None) -> None:
    """Sends overdue recalls once more, with all of their delivery: the authority may never have taken them.

    They keep their numbers, by which the authority knows what it has done already and tells it again. Exits with 1
    when one of them was not possible.
    """
    from integration_assets.cli.claims_tables import print_decided
    from integration_assets.flows.claim_statuses import ask_again as asked_again

    with _opened(data_dir) as (cache, authority):
        days = authority.settings.dmi_answer_working_days
        done = asked_again(authority.recalls(cache), actions, days, by or who(), datetime.now(UTC), note)
    if not print_decided(done):
        raise typer.Exit(NOT_ALL)


@claims.command()
def reconcile(as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Shows month by month what was received, recalled and written down, and what should lie with the authority."""
    from integration_assets.cache.claim_ledger import ClaimLedger
    from integration_assets.cli.claims_tables import print_months
    from integration_assets.domain.claims.reconciliation import monthly_base

    with _opened(data_dir) as (cache, _):
        months = monthly_base(ClaimLedger(cache.engine).entries())
    print_months(months, as_json=as_json)


@claims.command("import")
def import_claims(
    ledger: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV or Parquet file of claims.")],
    movements: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File of write-downs and write-ups.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Takes claims that were handed over into the ledger. Exits with 1 when rows were rejected, and tells why."""
    from integration_assets.cache.claim_ledger import ClaimLedger
    from integration_assets.flows.claim_ledger import UnfitFile, import_ledger

    with _opened(data_dir) as (cache, authority):
        try:
            done = import_ledger(ClaimLedger(cache.engine), ledger, movements, _today(authority))
        except UnfitFile as error:
            refuse(str(error))
    for row in done.rejected.iter_rows(named=True):
        print(f"{row['record_key']}: {row['text']}")
    new, changed, unchanged, moves = done.stored
    print(
        f"{new:,} claims are new, {changed:,} changed, {unchanged:,} as they were; {moves:,} write-downs and write-ups."
    )
    raise typer.Exit(0 if done.rejected.is_empty() else NOT_ALL)


@claims.command()
def send(data_dir: DataDirOption = None) -> None:
    """Sends approved recalls, and deliveries whose pause is over. Exits with 1 when the channel is stopped."""
    from integration_assets.flows.recalls import send_due

    with _opened(data_dir) as (cache, authority):
        means = _means(cache, authority)
        counts = send_due(means, _today(authority))
        stopped = means.outbox.stopped()
        authority.get().close()
    print(", ".join(f"{name}: {number:,}" for name, number in counts.items()))
    if stopped is not None:
        refuse(f"The channel is stopped. {stopped}", NOT_ALL)


@claims.command("take-in")
def take_in(
    folder: Annotated[Path | None, typer.Argument(help="Folder of status files; that of the settings.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Takes in statuses that were dropped as files (*.xml), and removes the files once they are stored."""
    from integration_assets.flows.claim_statuses import take_in_folder

    with _opened(data_dir) as (cache, authority):
        folder = folder or Path(authority.settings.need("dmi_status_folder"))
        if not folder.is_dir():
            refuse(f"There is no folder {folder}.")
        counts = take_in_folder(authority.statuses(cache), folder, datetime.now(UTC))
    print(", ".join(f"{name}: {number:,}" for name, number in counts.items()))


@claims.command()
def listen(
    host: Annotated[
        str, typer.Option(help="Address to listen at; another than loopback needs a certificate.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port; that of the settings (dmi_status_port).")] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Https with our certificate; callers need one of dmi_ca.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Runs the end point that the authority posts statuses to, until it is interrupted."""
    from integration_assets.cli.claims_listener import serve

    with _opened(data_dir) as (cache, authority):
        serve(authority.settings, authority.statuses(cache), host, port or authority.settings.dmi_status_port, tls=tls)


@contextmanager
def _opened(data_dir: Path | None) -> "Iterator[tuple[Cache, DebtAuthorityResource]]":
    """Cache and authority as the settings name them. Refuses where claims are not recalled from here."""
    from integration_assets.resources.debt_authority import DebtAuthorityResource

    settings = settings_of(data_dir)
    if not settings.claims_enabled:
        refuse("Claims are not recalled from here: setting claims_enabled is off.", UNCONFIGURED)
    with opened_cache(settings) as cache:
        yield cache, DebtAuthorityResource(settings=settings)


def _today(authority: "DebtAuthorityResource") -> date:
    from integration_assets.resources.business_day import BusinessDay

    return BusinessDay(fixed=authority.settings.business_day or "").today()


def _means(cache: "Cache", authority: "DebtAuthorityResource") -> "Means":
    try:
        return authority.means(cache)
    except ValueError as error:
        refuse(str(error), UNCONFIGURED)


def _decide(
    cache: "Cache",
    authority: "DebtAuthorityResource",
    decision: "Decision",
    actions: list[int],
    by: str | None,
    note: str | None,
) -> None:
    from integration_assets.cli.claims_tables import print_decided

    if not print_decided(authority.recalls(cache).decide(decision, actions, by or who(), datetime.now(UTC), note)):
        raise typer.Exit(NOT_ALL)
