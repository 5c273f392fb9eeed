"""`integration-assets accounts`: what would happen to installation accounts."""

from pathlib import Path
from typing import Annotated

import typer

from integration_assets.cli.exchange import print_answer

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
