"""`integration-assets facts`: what processes would do to the facts of an installation."""

from pathlib import Path
from typing import Annotated

import typer

from integration_assets.cli.exchange import print_answer

facts = typer.Typer(
    help="Installation facts (anlægsfakta): values of operands over time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@facts.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON; - reads standard input.")],
) -> None:
    """Applies the calls of FILE to the facts told in it and prints the result as JSON; touches nothing.

    FILE has operands, mdts (templates), before (slices), contract_before and call or calls, or many such cases. A call
    that is refused says why in the results and changes nothing. Exits with 2 and a sentence when FILE cannot be read.
    """
    from integration_assets.domain.facts.replay import replay as play

    print_answer(file, play)
