"""`integration-assets check`: whether outside systems are set up for what we do there."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from integration_assets.cli.opened import UNCONFIGURED, JsonOption, refuse, settings_of

if TYPE_CHECKING:  # imported by the command that needs it: the other commands start without
    from collections.abc import Sequence

    from integration_assets.domain.crm.preflight import Finding

UNFIT = 1

check = typer.Typer(
    help="Whether outside systems are set up for what we do there.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@check.callback()
def checks() -> None:
    """A system for each command."""


@check.command()
def crm(as_json: JsonOption = False) -> None:
    """Compares tables, columns, choices, keys, messages and rights in Dynamics with what we write. Writes nothing.

    Exits with 1 when rows would be refused or the CRM does not let us in, 3 when settings are missing.
    """
    from integration_assets.clients.http import CallError
    from integration_assets.domain.crm.tables import MappingFault
    from integration_assets.flows.crm_mapping import mapping_in_force
    from integration_assets.flows.preflight import check_crm
    from integration_assets.resources.dynamics import DynamicsResource
    from integration_assets.settings import MissingSetting

    settings = settings_of(None)
    resource = DynamicsResource(settings=settings)
    try:
        client = resource.get()
        try:
            found = check_crm(client, settings.utility, mapping_in_force(settings))
        finally:
            client.close()
    except MissingSetting as error:
        refuse(str(error), UNCONFIGURED)
    except MappingFault as fault:
        refuse(str(fault), UNFIT)
    except CallError as error:
        refuse(f"The CRM could not be checked: {error}", UNFIT)
    errors = sum(finding.severity == "error" for finding in found)
    print(json.dumps(as_data(found), ensure_ascii=False, indent=2) if as_json else as_text(found))
    raise typer.Exit(UNFIT if errors else 0)


@check.command()
def mail(
    to: Annotated[list[str] | None, typer.Option(help="Recipient; without one all that the settings name.")] = None,
) -> None:
    """Sends a test mail the way alarms are sent, and says what is wrong where it does not arrive.

    Exits with 1 when the server does not take it, or not for everybody; 3 when settings are missing.
    """
    from integration_assets.flows.mails import send_trial
    from integration_assets.resources.mail import mail_server
    from integration_assets.settings import MissingSetting

    settings = settings_of(None)
    try:
        for name in ("smtp_host", "mail_sender"):
            settings.need(name)
        server = mail_server(settings)
    except MissingSetting as error:
        refuse(f"{error} Until then mails stay in the outbox.", UNCONFIGURED)
    named = [*settings.mail_recipients, *(name for each in settings.supervision_folders for name in each.recipients)]
    recipients = list(dict.fromkeys(to or named))
    if not recipients:
        refuse("Nobody is told: mail_recipients is empty, and no folder names recipients.", UNCONFIGURED)
    assert server is not None
    login = f"as {server.user}" if server.user else "without a login"
    print(f"Mail server {server.host}:{server.port}, {server.security}, {login}.")
    if server.user and server.security == "none":
        print("The password travels in plain text; smtp_security should be starttls or tls.")
    trouble = send_trial(server, settings.need("mail_sender"), recipients, datetime.now(UTC))
    if trouble:
        refuse("\n".join(trouble), UNFIT)
    print(f"The server took a test mail for {', '.join(recipients)}.")


def as_data(found: "Sequence[Finding]") -> list[dict[str, str | None]]:
    """The findings for programs."""
    return [
        {
            "severity": finding.severity,
            "table": finding.table,
            "column": finding.column,
            "text": finding.text,
            "remedy": finding.remedy,
        }
        for finding in found
    ]


def as_text(found: "Sequence[Finding]") -> str:
    """The findings for people: each with its place, what is wrong and where to put it right."""
    lines = [
        f"{finding.severity:<8}{finding.place}\n        {finding.text}\n        {finding.remedy}" for finding in found
    ]
    errors = sum(finding.severity == "error" for finding in found)
    verdict = "The CRM is set up for what we write." if not errors else "Nothing would be delivered to this CRM."
    counts = f"{_counted(errors, 'error')}, {_counted(len(found) - errors, 'warning')}"
    return "\n".join([*lines, f"{counts}. {verdict}"])


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
