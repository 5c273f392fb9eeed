"""Extensions of the facts processes that other packages bring along, found by their entry points.

A package names a function in one of four groups, e.g. in its pyproject.toml::

    [project.entry-points."integration_assets.facts.fill_container"]
    our_prices = "our_package.prices:fill"
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from integration_assets.domain.facts.extensions import Extensions

GROUP: Final = "integration_assets.facts."
"""Followed by the point: fill_container, fill_container_rgen, move_out_date_changed, move_in_date_changed."""


class BadExtension(ValueError):
    """An extension cannot be used; the text says which, and why."""


def installed_extensions() -> Extensions:
    """The extensions of all installed packages. Raises BadExtension as `extensions_of`."""
    return extensions_of(entry for point in Extensions._fields for entry in entry_points(group=GROUP + point))


def extensions_of(found: Iterable[EntryPoint]) -> Extensions:
    """The extensions that these entry points name, by point, in the order of their names.

    Raises BadExtension for an unknown point, and where an entry point cannot be loaded or is no function.
    """
    by_point: dict[str, list[Callable[..., Any]]] = {point: [] for point in Extensions._fields}
    for entry in sorted((entry for entry in found if entry.group.startswith(GROUP)), key=lambda entry: entry.name):
        point = entry.group.removeprefix(GROUP)
        if point not in by_point:
            raise BadExtension(f"Extension {entry.name}: there is no point {point}; there are {', '.join(by_point)}.")
        try:
            function = entry.load()
        except (ImportError, AttributeError) as error:
            raise BadExtension(f"Extension {entry.name} ({entry.value}) cannot be loaded: {error}.") from error
        if not callable(function):
            raise BadExtension(f"Extension {entry.name} ({entry.value}) is no function.")
        by_point[point].append(function)
    return Extensions(**{point: tuple(functions) for point, functions in by_point.items()})
