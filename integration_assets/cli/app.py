"""The command line application: one command per function, each in a module of its own."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from integration_assets.cli.accounts import accounts
from integration_assets.cli.addresses import addresses
from integration_assets.cli.cache_keys import keys
from integration_assets.cli.check import check
from integration_assets.cli.claims import claims
from integration_assets.cli.facts import facts
from integration_assets.cli.person import person
from integration_assets.cli.registry import registry
from integration_assets.cli.supervise import supervise

app = typer.Typer(
    name="integration-assets",
    help="Keeps KMD EE, the OIO registry and Dynamics CRM 365 true to each other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(accounts, name="accounts")
app.add_typer(addresses, name="addresses")
app.add_typer(check, name="check")
app.add_typer(claims, name="claims")
app.add_typer(facts, name="facts")
app.add_typer(keys, name="keys")
app.add_typer(person, name="person")
app.add_typer(registry, name="registry")
app.add_typer(supervise, name="supervise")

DataDir = Annotated[Path, typer.Option(help="Folder of the embedded database and of all files written.")]
Customers = Annotated[int, typer.Option(min=20, help="Customer relations in the sandbox town.")]
AdoptedSystem = Literal["lora", "crm"]
Seed = Annotated[int, typer.Option(help="The same seed and size give the same town.")]


@app.command()
def run(
    customers: Customers = 2000,
    days: Annotated[int, typer.Option(min=0, help="Days to play after the first load.")] = 3,
    seed: Seed = 1,
    data_dir: DataDir = Path("var"),
    faults: Annotated[str, typer.Option(help='Fault plans by system, JSON: {"lora": {"rate_503": 0.02}}')] = "",
) -> None:
    """Plays days of a sandbox town through the assets and compares what LoRa and Dynamics hold with the truth.

    An interrupted run goes on where it was; after a finished one the town is built anew.
    """
    from integration_assets.cli.play import play_town

    raise typer.Exit(play_town(customers=customers, days=days, seed=seed, data_dir=data_dir, faults=faults))


@app.command()
def sandbox(customers: Customers = 2000, seed: Seed = 1, data_dir: DataDir = Path("var")) -> None:
    """Runs the outside world in small on loopback until interrupted; addresses are in <data-dir>/sandbox.json."""
    from integration_assets.sandbox.server import serve
    from integration_assets.sandbox.systems import SandboxOptions

    serve(SandboxOptions(data_dir=data_dir.resolve(), customers=customers, seed=seed))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of Dagster's web server on 127.0.0.1.")] = 3000,
    pages_port: Annotated[int, typer.Option(help="Port of the operators' pages on 127.0.0.1.")] = 3100,
    customers: Customers = 500,
    seed: Seed = 1,
    data_dir: DataDir = Path("var"),
) -> None:
    """Starts the sandbox (unless real systems are configured), Dagster's web server and daemon, and the pages."""
    from integration_assets.cli.ui import serve_ui

    raise typer.Exit(serve_ui(port=port, pages_port=pages_port, customers=customers, seed=seed, data_dir=data_dir))


@app.command()
def web(
    host: Annotated[str | None, typer.Option(help="Address to serve on; that of the settings (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; that of the settings (3100).")] = None,
    dagit_url: Annotated[str | None, typer.Option(help="Dagster's web server, for links.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the cache; that of the settings.")] = None,
) -> None:
    """Serves the operators' pages: state of the interactions, worklist, look-up by number, trends.

    Exits with 2 where the settings would show them to strangers, 3 when settings are missing.
    """
    from integration_assets.cli.web import serve_pages

    serve_pages(host=host, port=port, dagit_url=dagit_url, data_dir=data_dir)


@app.command()
def plan(
    areas: Annotated[list[str] | None, typer.Argument(help="Supply areas; all when none is named.")] = None,
    samples: Annotated[int, typer.Option(min=0, help="New and changed objects to show per entity.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Prints JSON for programs instead of tables.")] = False,
    max_changes: Annotated[
        int | None, typer.Option(min=0, help="Exits with 1 when more objects of a system would be created or changed.")
    ] = None,
    let_through: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Lets the next runs do once what they would refuse; kept with who and why.",
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who lets them through; the user of the operating system.")] = None,
) -> None:
    """Shows what a run would create, update, end and clear, field by field, without touching anything outside.

    Exits with 3 when settings are missing, 2 when there is no such supply area, 1 when a run would refuse to go on.
    """
    from integration_assets.cli.plan import show_plan

    raise typer.Exit(
        show_plan(areas or [], samples, as_json=as_json, max_changes=max_changes, let_through=let_through, by=by)
    )


@app.command("settings")
def settings_in_force(
    markdown: Annotated[bool, typer.Option("--markdown", help="Prints all defaults as Markdown.")] = False,
) -> None:
    """Shows every setting with its meaning and what is in force, without secrets."""
    from integration_assets.cli.settings_table import show_settings

    raise typer.Exit(show_settings(markdown=markdown))


@app.command("crm-mapping")
def crm_mapping(
    markdown: Annotated[bool, typer.Option("--markdown", help="Prints Markdown instead of tables.")] = False,
) -> None:
    """Shows which column of the CRM is filled from what, in which form, and whose value counts.

    Exits with 1 when the mapping file of the settings does not do; every fault of it is told.
    """
    from integration_assets.cli.crm_mapping import show_mapping

    raise typer.Exit(show_mapping(markdown=markdown))


@app.command()
def drift(
    everything: Annotated[
        bool, typer.Option("--all", help="Reads every object, not only those whose turn it is.")
    ] = False,
    system: Annotated[
        AdoptedSystem | None, typer.Option(help="Only this system; those that the settings name.")
    ] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Only this entity; may be given several times.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Makes what drifts due again, whatever the settings say.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Prints JSON for programs instead of a table.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the cache; that of the settings.")] = None,
) -> None:
    """Shows, field by field and masked, what registry and CRM hold otherwise than it was delivered.

    The registry is read by turns, of the CRM what changed since the last look. What is found is kept in the cache; the
    systems are written by the next run only. Exits with 1 when something drifts, 2 when a system does not answer or
    there is no such entity, 3 when settings are missing.
    """
    from integration_assets.cli.drift import show_drift

    show_drift(
        system=system,
        everything=everything,
        entities=entity or [],
        repair=repair,
        as_json=as_json,
        data_dir=data_dir,
    )


@app.command()
def adopt(
    system: Annotated[AdoptedSystem, typer.Option(help="The outside system whose objects are adopted.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tells everything and remembers nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Prints JSON for programs instead of tables.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Writes JSON and CSV to <data-dir>/adoption.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the cache; that of the settings.")] = None,
) -> None:
    """Tells which objects of a system that others filled are ours, and what the next runs repair in them.

    Fills the cross reference; the system itself is never written. May be repeated. Exits with 3 when settings are
    missing, 2 when a system does not answer.
    """
    if system == "crm":
        from integration_assets.cli.adopt_crm import adopt_crm

        raise typer.Exit(adopt_crm(dry_run=dry_run, as_json=as_json, report=report, data_dir=data_dir))
    from integration_assets.cli.adopt import adopt_registry

    raise typer.Exit(adopt_registry(dry_run=dry_run, as_json=as_json, report=report, data_dir=data_dir))


@app.command()
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Counts what is over and leaves everything.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Prints JSON for programs instead of text.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the cache; that of the settings.")] = None,
) -> None:
    """Takes out of the cache, and of Dagster's run history (DAGSTER_HOME), what need not be kept any longer."""
    from integration_assets.cli.retention import take_out

    take_out(dry_run=dry_run, as_json=as_json, data_dir=data_dir)


@app.command("replay-lora")
def replay_lora(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of recorded exchanges.")],
    url: Annotated[str | None, typer.Option(help="An empty registry; a fresh sandbox's when not given.")] = None,
) -> None:
    """Plays recorded exchanges against a registry and shows which answers are equal and where others differ.

    Exits with 1 when an answer differs, 3 when nothing could be played to the end.
    """
    from integration_assets.cli.replay import replay_folder

    raise typer.Exit(replay_folder(folder, url))


if __name__ == "__main__":
    app()
