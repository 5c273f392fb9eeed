"""`integration-assets accounts`: what installation accounts show, what waits, and what would happen to them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from integration_assets.cli.exchange import print_answer
from integration_assets.cli.opened import DataDirOption, JsonOption, opened_cache, refuse, settings_of

accounts = typer.Typer(
    help="Installation accounts (installationskonti): customer and installation over time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@accounts.command()
def decide(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON; - reads standard input.")],
) -> None:
    """Tells for each case of FILE what create-or-update would do, or why an account would be marked; touches nothing.

    Decisions are told in both orders of the two checks. Exits with 2 and a sentence when FILE cannot be read.
    """
    from integration_assets.domain.accounts.exchange import answer

    print_answer(file, answer)


@accounts.command()
def show(
    number: Annotated[
        str,
        typer.Argument(metavar="CUSTOMER_OR_INSTALLATION", help="Customer number, installation, MaLo or account id."),
    ],
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Shows the accounts of a customer number or an installation: today's fields, contracts, issues and marks.

    Exits with 2 when there is none; where a contract waits, what it lacks is said.
    """
    with opened_cache(settings_of(data_dir)) as cache:
        found = cache.accounts.find(number)
        waiting = [
            row
            for row in cache.account_links.waiting().to_dicts()
            if number in (row["customer_number"], row["installation"])
        ]
    if as_json:
        print(json.dumps({"accounts": found, "waiting": waiting}, ensure_ascii=False, indent=1, default=str))
    else:
        for account in found:
            print(_told(account))
        for row in waiting:
            print(_waits(row))
    if not found and not waiting:
        refuse(f"There is no installation account of {number}, and none waits.")


@accounts.command()
def waiting(
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Lists the contracts of which no account can be made yet, and what each of them lacks."""
    with opened_cache(settings_of(data_dir)) as cache:
        rows = cache.account_links.waiting().to_dicts()
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
        return
    for row in rows:
        print(_waits(row))
    print(f"{len(rows)} contracts wait." if len(rows) != 1 else "1 contract waits.")


@accounts.command()
def prospect(
    customer_number: Annotated[str, typer.Argument(help="A customer number of the customer to come.")],
    market_location: Annotated[str, typer.Argument(help="MaLo-ID or GSRN.")],
    data_dir: DataDirOption = None,
) -> None:
    """Makes an account of a customer at a market location before there is a contract; prints its id.

    The first contract on an installation with that market location gets this account. Exits with 2 where it cannot be.
    """
    from integration_assets.flows.identity import object_ids
    from integration_assets.flows.prospects import NoProspect, add_prospect

    settings = settings_of(data_dir)
    with opened_cache(settings) as cache:
        try:
            print(add_prospect(cache, object_ids(settings), customer_number, market_location))
        except NoProspect as reason:
            refuse(str(reason))


@accounts.command()
def note(
    account_id: Annotated[str, typer.Argument(help="Id of the account, as `show` tells it.")],
    field: Annotated[str, typer.Argument(help="notes, prospect_source or prospect_owner.")],
    text: Annotated[str, typer.Argument(help="What is kept; an empty text clears the field.")],
    data_dir: DataDirOption = None,
) -> None:
    """Keeps a field of an account that belongs to people: no run ever writes it. Exits with 2 where there is none."""
    from integration_assets.flows.prospects import USER_FIELDS

    if field not in USER_FIELDS:
        refuse(f"People keep {', '.join(USER_FIELDS)}; everything else comes from the billing system.")
    with opened_cache(settings_of(data_dir)) as cache:
        if not cache.accounts.note(account_id, {field: text or None}):
            refuse(f"There is no installation account {account_id}.")


_SHOWN = (
    *("address_line", "meter_number", "meter_type", "product", "tariff_facts", "billing_line", "market_location"),
    *("open_collection", "last_calculated_on"),
)


def _told(account: dict[str, Any]) -> str:
    """An account as lines of text."""
    status = f"superseded by {account['superseded_by']}" if account["superseded_by"] else account["status"] or "new"
    head = f"Installation {account['installation'] or '–'}, customer {account['customer_number'] or '–'}: {status}"
    lines = [f"{head} ({account['account_id']})"]
    lines += [f"  {name}: {account[name]}" for name in _SHOWN if account[name] not in (None, "{}")]
    lines += [f"  {name}: {value} (kept by people)" for name, value in account["user_fields"].items()]
    lines += [
        f"  contract {one['customer_number']} on {one['installation']}: {one['start']} – {one['end'] or 'open'}"
        for one in account["contracts"]
    ]
    lines += [f"  issue: {issue.partition(': ')[2]}" for issue in account["issues"]]
    if account["mark_reasons"]:
        lines.append(f"  marked since {account['marked_at']:%Y-%m-%d %H:%M}: {', '.join(account['mark_reasons'])}")
    return "\n".join(lines)


def _waits(row: dict[str, Any]) -> str:
    lacks = ", ".join(name.replace("_", " ") for name in row["missing"])
    contract = f"Customer {row['customer_number']} on installation {row['installation']}"
    return f"{contract} (area {row['supply_area']}) waits since {row['since']}: {lacks} missing."
