"""`integration-assets registry`: what operators correct of the past of registry objects."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from integration_assets.cli.opened import DataDirOption, opened_cache, refuse, settings_of

registry = typer.Typer(
    help="Corrections of the past in the registry (LoRa).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ALWAYS = "always"


@registry.command()
def correct(
    entity: Annotated[
        str, typer.Argument(metavar="ENTITY", help="customers, customer_relations, installations or agreements.")
    ],
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Customer number, or installation number.")],
    field: Annotated[str, typer.Argument(metavar="FIELD", help="Field of the registry's row: phone, address_id …")],
    by: Annotated[str, typer.Option("--by", help="Name of the one who corrects it.")],
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First business day on which the value of today was true."),
    ] = None,
    always: Annotated[bool, typer.Option("--always", help="The value of today has always been true.")] = False,
    co_customer: Annotated[
        bool, typer.Option("--co", help="Means the co-customer (ligestillingskunde) of the customer number.")
    ] = False,
    note: Annotated[str | None, typer.Option(help="Why; kept with the correction. Name no personal data.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Says from which day on the value that a field has today was true; the next run delivers it.

    For fields that the billing system overwrites without a date. Exits with 2 when nothing was corrected.
    """
    from integration_assets.flows.history_corrections import CorrectionRefused
    from integration_assets.flows.history_corrections import correct as rewrite
    from integration_assets.resources.business_day import BusinessDay

    if (since is None) != always:
        refuse("Name either the first day of the value (--from) or that it was always true (--always).")
    settings = settings_of(data_dir)
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    with opened_cache(settings) as cache:
        try:
            made = rewrite(
                *(cache, entity, number, field, None if since is None else since.date()),
                as_of=as_of,
                by=by,
                note=note,
                now=datetime.now(UTC),
                co_customer=co_customer,
            )
        except CorrectionRefused as error:
            refuse(str(error))
    told = f"from {since.date()} on" if since is not None else ALWAYS
    changes = len(made.days) - 1
    kept = f"; it changes on {', '.join(str(day) for day in made.days[1:])}" if changes > 0 else ""
    print(f"{field} of {number} ({entity.replace('_', ' ')}) is what it is today {told}{kept}.")
    print("The next run of its supply area delivers it.")


@registry.command()
def corrections(data_dir: DataDirOption = None) -> None:
    """Lists what was corrected, the latest first."""
    with opened_cache(settings_of(data_dir)) as cache:
        rows = cache.corrections.all()
    if rows.is_empty():
        print("Nothing has been corrected yet.")
    for row in rows.iter_rows(named=True):
        number = row["customer_number"] or row["installation_number"]
        since = f"from {row['since']}" if row["since"] else ALWAYS
        why = f": {row['note']}" if row["note"] else ""
        when = row["corrected_at"].astimezone().strftime("%Y-%m-%d %H:%M")
        print(f"{when}  {row['entity']} {number} {row['field']} {since}, by {row['corrected_by']}{why}")
