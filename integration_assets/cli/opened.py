"""The cache as commands open it that work on it alone: settings read, keys checked, refusals told in a sentence."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:  # imported by what needs them: the other commands start without
    from integration_assets.cache.store import Cache
    from integration_assets.settings import Settings

REFUSED, UNCONFIGURED = 2, 3
"""Exit codes: what was asked for cannot be done; settings are missing, or the keys are not those of the cache."""

DataDirOption = Annotated[Path | None, typer.Option(help="Folder of the cache; that of the settings.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Prints JSON for programs instead of text.")]


def settings_of(data_dir: Path | None) -> "Settings":
    """The settings of the environment, with another data directory where one is named. Unreadable ones end the command.

    What is said of them names the setting and never its value, which may be a secret.
    """
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from integration_assets.settings import Settings

    try:
        return Settings() if data_dir is None else Settings(data_dir=data_dir)
    except (ValidationError, SettingsError) as error:
        refuse(str(error), UNCONFIGURED)


@contextmanager
def opened_cache(settings: "Settings") -> Iterator["Cache"]:
    """The cache that the settings name. A missing setting or a wrong key, here or later, ends the command."""
    from integration_assets.cache.cipher import CipherError
    from integration_assets.resources.cache import open_cache
    from integration_assets.settings import MissingSetting

    try:
        cache = open_cache(settings)
        try:
            yield cache
        finally:
            cache.close()
    except (MissingSetting, CipherError) as error:
        refuse(str(error), UNCONFIGURED)


def refuse(sentence: str, code: int = REFUSED) -> NoReturn:
    """Says on standard error why the command does nothing, and ends it."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


def who() -> str:
    """The user of the operating system, for the audit."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no user of that id, as in some containers
        return "unknown"
