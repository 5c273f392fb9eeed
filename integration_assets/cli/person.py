"""`integration-assets person`: what the cache holds on the persons of a customer number, and taking it out."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integration_assets.cli.opened import DataDirOption, JsonOption, opened_cache, refuse, settings_of, who

if TYPE_CHECKING:
    from integration_assets.flows.person_requests import Held

NOTHING = "–"

person = typer.Typer(
    help="Requests of persons for access to their data and for its erasure (GDPR, articles 15 and 17).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

CustomerNumber = Annotated[str, typer.Argument(metavar="CUSTOMER_NUMBER", help="Customer number (Kundenr) in KMD EE.")]

TITLES = {
    "kmd_ee_customers": "Rows of the billing system (KMD EE)",
    "resolved_customers": "Who the customer was found to be",
    "register_answer": "What the registers (CPR, CVR) answered, and completed numbers",
    "delivery": "Delivered to LoRa and Dynamics CRM",
    "rejection": "What could not be processed",
    "audit": "Audit: look-ups in registers, and requests like this one",
    "washing": "Address texts and what they were found to mean",
    "address_decision": "What operators decided that those texts mean",
    "history_correction": "What operators corrected of the past",
}


@person.command()
def show(
    customer_number: CustomerNumber,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Shows personal numbers in full; that is written into the audit.")
    ] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Shows all that the cache holds on the main customer and the co-customer of a customer number.

    Exits with 2 when it holds nothing. LoRa, the CRM and KMD EE hold what is theirs, which is not asked here.
    """
    from integration_assets.flows.identity import object_ids
    from integration_assets.flows.person_requests import ACCESS, RequestRefused, held, note_request, shown

    settings = settings_of(data_dir)
    with opened_cache(settings) as cache:
        ids = object_ids(settings)
        try:
            found = held(cache, ids, customer_number)
        except RequestRefused as error:
            refuse(str(error))
        if unmasked:
            note_request(cache, ids, customer_number, ACCESS, "shown with personal numbers", who())
        content = [(section.table, shown(list(section.rows), unmasked=unmasked)) for section in found.sections]
    if as_json:
        whole = {"customer_number": customer_number, "sections": [{"table": t, "rows": r} for t, r in content]}
        print(json.dumps(whole, ensure_ascii=False, indent=2))
    else:
        _print(customer_number, found, content)


@person.command()
def erase(
    customer_number: CustomerNumber,
    do_it: Annotated[
        bool, typer.Option("--erase", help="Erases; without it, only what would happen is shown.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erases without asking once more.")] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Takes out of the cache what may go of the persons of an ended customer number, and says what stays and why.

    Without --erase or --yes nothing is changed. Exits with 2 for a customer number in force, or one that the cache
    holds nothing on.
    """
    from integration_assets.flows import person_requests
    from integration_assets.flows.identity import object_ids
    from integration_assets.resources.business_day import BusinessDay

    settings = settings_of(data_dir)
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    if do_it and not yes and not _confirmed(customer_number):
        refuse("Nothing was erased.")
    dry_run = not (do_it or yes)
    with opened_cache(settings) as cache:
        try:
            done = person_requests.erase(
                cache,
                object_ids(settings),
                customer_number,
                as_of,
                first_month=settings.accounting_year_first_month,
                by=who(),
                dry_run=dry_run,
            )
        except person_requests.RequestRefused as error:
            refuse(str(error))
    if as_json:
        rows = [{"what": each.what, "erased": each.erased, "kept": each.kept, "why": each.why} for each in done]
        print(json.dumps({"customer_number": customer_number, "dry_run": dry_run, "kinds": rows}, indent=2))
        return
    print(f"Customer number {customer_number}{': what an erasure would do' if dry_run else ': erased'}")
    for each in done:
        print(f"\n{each.what}")
        print(f"    {'would go' if dry_run else 'gone'}: {each.erased:,}   stays: {each.kept:,}")
        print(f"    {each.why}")
    if dry_run:
        print("\nNothing was changed. Add --erase to do it.")


def _confirmed(customer_number: str) -> bool:
    if not sys.stdin.isatty():
        refuse("Nobody is here to confirm; add --yes to erase without being asked.")
    return typer.confirm(f"Erase what may go of the persons of customer number {customer_number}?")


def _print(customer_number: str, found: "Held", content: list[tuple[str, list[dict[str, Any]]]]) -> None:
    parties = len(found.identity.parties)
    print(f"Customer number {customer_number}: {parties} {'party' if parties == 1 else 'parties'}")
    for table, rows in content:
        print(f"\n{TITLES.get(table, table)} [{table}]")
        for number, row in enumerate(rows, 1):
            print(f"  {number}.")
            for name, value in row.items():
                for line in _lines(name, value):
                    print(f"     {line}")


def _lines(name: str, value: Any) -> list[str]:
    """The lines of one value; what holds others has a line for each that is not empty."""
    if isinstance(value, dict):
        inner = [f"  {line}" for key, each in value.items() if each is not None for line in _lines(key, each)]
        return [f"{name}:", *inner]
    return [f"{name}: {NOTHING if value is None else value}"]
