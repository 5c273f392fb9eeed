"""`integration-assets settings`: every setting with its default and its meaning, and what is in force here."""

from collections.abc import Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from integration_assets.settings import Settings

PREFIX = str(Settings.model_config.get("env_prefix"))
INTRODUCTION = f"""# Configuration

Everything is read from the environment (prefix `{PREFIX}`), then `.env`, then the JSON file that
`{PREFIX}SETTINGS_FILE` names (the sandbox writes one). Secrets belong into the environment. Lists and tables are
given as JSON. `integration-assets settings` shows what is in force, without secrets."""

_LONGEST_DEFAULT = 120
"""Characters of a default that a table has room for."""

GENERAL = "General"
SECTIONS = {
    "lora": "The registry (LoRa)",
    "crm": "Dynamics CRM",
    "address": "Addresses",
    "dawa": "Addresses",
    "adressevask": "Addresses",
    "person": "People and companies",
    "company": "People and companies",
    "register": "People and companies",
    "sp": "People and companies",
    "completion": "People and companies",
    "share": "People and companies",
    "tariff": "Installation facts and accounts",
    "market": "Installation facts and accounts",
    "account": "Installation facts and accounts",
    "supervision": "Supervision",
    "mail": "Supervision",
    "smtp": "Supervision",
    "web": "Pages",
    "dagit": "Pages",
    "claim": "Recalls of claims",
    "claims": "Recalls of claims",
    "dmi": "Recalls of claims",
}
"""The section of a setting by the first word of its name; all others are general."""


def show_settings(*, markdown: bool) -> int:
    """Runs the command; returns its exit code."""
    if markdown:
        print(document())
        return 0
    console = Console(width=None if Console().is_terminal else 200, highlight=False)
    settings = Settings()
    for title, fields in _sections():
        table = Table("name", "in force", "meaning", title=title, title_justify="left")
        for name, field in fields:
            table.add_row(PREFIX + name.upper(), _in_force(getattr(settings, name)), field.description or "")
        console.print(table)
    return 0


def document() -> str:
    """All settings as Markdown: name without prefix, default, meaning; independent of what is in force."""
    lines = [INTRODUCTION]
    for title, fields in _sections():
        lines += ["", f"## {title}", "", f"| name (prefix `{PREFIX}`) | default | meaning |", "|---|---|---|"]
        lines += [f"| `{name.upper()}` | {_default(field)} | {_escaped(field.description)} |" for name, field in fields]
    return "\n".join(lines)


def _sections() -> Iterator[tuple[str, list[tuple[str, FieldInfo]]]]:
    fields = Settings.model_fields
    section_of = {name: SECTIONS.get(name.split("_", 1)[0], GENERAL) for name in fields}
    for title in dict.fromkeys([GENERAL, *SECTIONS.values()]):
        found = [(name, field) for name, field in fields.items() if section_of[name] == title]
        if found:
            yield title, found


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is None:
        return ""
    shown = _escaped(str(default))
    return f"`{shown}`" if len(shown) <= _LONGEST_DEFAULT else "see the guide"


def _in_force(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return "(given)"
        case dict() if any(isinstance(item, SecretStr) for item in value.values()):
            return ", ".join(f"{name}: (given)" for name in value)
        case _:
            return str(value)


def _escaped(text: str | None) -> str:
    return (text or "").replace("|", "\\|")
