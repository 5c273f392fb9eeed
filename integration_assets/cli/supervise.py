"""`integration-assets supervise`: the state of the interactions of every folder, at a glance or anew."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integration_assets.cli.opened import DataDirOption, JsonOption, opened_cache, refuse, settings_of, who

if TYPE_CHECKING:  # imported by the command that needs it: the other commands start without
    from integration_assets.cache.alarms import Alarm
    from integration_assets.domain.supervision.folders import Folder
    from integration_assets.domain.supervision.interactions import Interactions
    from integration_assets.settings import Settings

ALERT = 1
"""Exit code: a folder is not in state Normal, or has an alarm that nobody acknowledged."""

FolderOption = Annotated[list[str] | None, typer.Option("--folder", help="Only this folder; may be given repeatedly.")]
FolderArgument = Annotated[str, typer.Argument(help="The folder.")]
Reason = Annotated[str, typer.Option(help="Why, for those who look at it later.")]
Until = Annotated[datetime | None, typer.Option(help="Until when, by the clock of Copenhagen; without: for good.")]

supervise = typer.Typer(
    help="The state of the interactions of every folder (dossier).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@supervise.command()
def refresh(folder: FolderOption = None, as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Collects the state anew and shows it; creates the folder's row where there is none. Sends no mail.

    Exits with 1 when a folder is not Normal, 2 when there is no such folder, 3 when settings are missing.
    """
    from integration_assets.flows.supervision import Means
    from integration_assets.flows.supervision import refresh as refreshed
    from integration_assets.resources.business_day import BusinessDay

    settings = settings_of(data_dir)
    folders = _chosen(settings, folder)
    with opened_cache(settings) as cache:
        means, today = Means.of(settings, cache), BusinessDay(fixed=settings.business_day or "").today()
        done = [refreshed(means, each, datetime.now(UTC), mail=False, today=today) for each in folders]
    _tell([one.row for one in done], [alarm for one in done for alarm in one.alarms], as_json=as_json)


@supervise.command()
def show(folder: FolderOption = None, as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Shows the state as it was seen last, with open alarms and mails that wait. Computes nothing.

    Exits with 1 when a folder is not Normal (STALE: supervision itself is dead), 2 when it was never refreshed.
    """
    settings = settings_of(data_dir)
    names = [each.name for each in _chosen(settings, folder)]
    with opened_cache(settings) as cache:
        rows = {row.folder: row for row in cache.interactions.all()}
        if missing := [name for name in names if name not in rows]:
            refuse(f"Never refreshed: {', '.join(missing)}. Run `integration-assets supervise refresh`.")
        alarms = [alarm for alarm in cache.alarms.open() if alarm.folder in names or not alarm.folder]
        waiting = len(cache.mails.latest(states=["queued", "sending"]))
        given_up = len(cache.mails.latest(states=["given_up"]))
    _tell([rows[name] for name in names], alarms, as_json=as_json, mails=(waiting, given_up))


@supervise.command()
def pause(folder: FolderArgument, reason: Reason, until: Until = None, data_dir: DataDirOption = None) -> None:
    """Keeps a folder quiet: it is watched on, and no mail is sent. Exits with 2 where it was never refreshed."""
    from integration_assets.domain.supervision.windows import COPENHAGEN

    with opened_cache(settings_of(data_dir)) as cache:
        ends = None if until is None else until.replace(tzinfo=COPENHAGEN)
        if not cache.interactions.pause(folder, by=who(), reason=reason, until=ends):
            refuse(f"There is no state of a folder {folder}. Run `integration-assets supervise refresh` first.")
    print(f"{folder} is paused.")


@supervise.command()
def resume(folder: FolderArgument, data_dir: DataDirOption = None) -> None:
    """Ends the pause of a folder. Exits with 2 where it was never refreshed."""
    with opened_cache(settings_of(data_dir)) as cache:
        if not cache.interactions.resume(folder):
            refuse(f"There is no state of a folder {folder}.")
    print(f"{folder} goes on.")


@supervise.command()
def acknowledge(
    alarm: Annotated[int, typer.Argument(help="Number of the alarm, as `supervise show` tells it.")],
    reason: Reason,
    until: Until = None,
    data_dir: DataDirOption = None,
) -> None:
    """Takes note of an alarm: no more mails about it, until it is over or until an instant (snooze).

    Exits with 2 where no such alarm is open.
    """
    from integration_assets.domain.supervision.windows import COPENHAGEN

    with opened_cache(settings_of(data_dir)) as cache:
        if alarm not in [each.alarm_id for each in cache.alarms.open()]:
            refuse(f"No alarm {alarm} is open.")
        ends = None if until is None else until.replace(tzinfo=COPENHAGEN)
        cache.acknowledgements.give("alarm", str(alarm), by=who(), reason=reason, now=datetime.now(UTC), until=ends)
    print(f"Alarm {alarm} is acknowledged.")


def _chosen(settings: "Settings", names: Sequence[str] | None) -> "list[Folder]":
    """The folders of these names, all without one. A name that there is not ends the command."""
    known = {folder.name: folder for folder in settings.supervision_folders}
    if strange := sorted(set(names or ()) - set(known)):
        refuse(f"There is no folder {', '.join(strange)}. Folders: {', '.join(known)}.")
    return [known[name] for name in names or known]


def _tell(
    rows: "Sequence[Interactions]", alarms: "Sequence[Alarm]", *, as_json: bool, mails: tuple[int, int] = (0, 0)
) -> None:
    """Prints the states; ends with 1 where one is not well."""
    from integration_assets.domain.supervision.interactions import PAUSED
    from integration_assets.domain.supervision.state import NORMAL

    now = datetime.now(UTC)
    if as_json:
        states: list[dict[str, Any]] = [{**asdict(row), "shown_state": row.shown_state(now)} for row in rows]
        told = {"folders": states, "alarms": [asdict(alarm) for alarm in alarms], "mails_waiting": mails[0]}
        print(json.dumps(told, default=lambda value: value.isoformat(), ensure_ascii=False, indent=2))
    else:
        print("\n\n".join(as_text(row, [alarm for alarm in alarms if alarm.folder == row.folder], now) for row in rows))
        for alarm in alarms:
            if not alarm.folder:
                print(f"\n{_alarm_line(alarm)}")
        if any(mails):
            print(f"\nMails: {mails[0]} wait for the server, {mails[1]} were given up.")
    well = all((state := row.shown_state(now)) == PAUSED or (state == NORMAL and row.severity == "ok") for row in rows)
    raise typer.Exit(0 if well else ALERT)


def as_text(row: "Interactions", alarms: "Sequence[Alarm]", now: datetime) -> str:
    """One folder for people: the state, the ten indicators, what is wrong."""
    from integration_assets.domain.supervision.mails import clock

    share = "–" if row.rejection_share is None else f"{row.rejection_share:.1%}"
    lines = [
        f"{row.folder}: {row.shown_state(now)}",
        f"  CRM project                     {row.crm_project or '–'}",
        f"  last synchronisation            {'never' if row.last_sync_at is None else clock(row.last_sync_at)}",
        f"  refreshed                       {clock(row.refreshed_at)}",
        f"  synchronisations today          {row.syncs_today}",
        f"  installations not OK            {row.installations_today_not_ok} today, {row.installations_not_ok} in all",
        f"  notifications not OK today      {row.notifications_not_ok}",
        f"  runs with rejections today      {row.runs_with_rejections}",
        f"  claims, agreements not OK today {row.documents_not_ok}",
        f"  last run                        {row.last_outcome or '–'}, {share} rejected, {row.volume or 0} records"
        + (f" ({row.usual_volume} usual)" if row.usual_volume is not None else ""),
        f"  runs failed in a row            {row.consecutive_failures}",
        *(f"  {_alarm_line(alarm)}" for alarm in alarms),
    ]
    if row.is_paused(now):
        lines.append(f"  paused by {row.paused_by}: {row.paused_reason}")
    return "\n".join(lines)


def _alarm_line(alarm: "Alarm") -> str:
    from integration_assets.domain.supervision.mails import clock

    return f"{alarm.severity} {alarm.alarm_id} since {clock(alarm.began_at)}: {alarm.text}"
