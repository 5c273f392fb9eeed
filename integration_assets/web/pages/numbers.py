"""One customer or installation: what KMD EE says, what registry and CRM have, and what is on its way."""

from datetime import date
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from integration_assets.flows.identity import object_ids
from integration_assets.flows.number_picture import Picture, customer_picture, installation_picture, note_view
from integration_assets.web.forms import is_personal, line
from integration_assets.web.rendering import masked, plain
from integration_assets.web.visits import Visit

_LONGEST_NUMBER: Final = 40
_LONGEST_PURPOSE: Final = 300


def search(visit: Visit) -> Response:
    """The form."""
    return visit.render("search.html", unknown=None)


def find(visit: Visit) -> Response:
    """Leads to the customer or the installation of a number. The number comes in a form, since people type personal
    numbers into whatever asks for a number, and an address stands in logs."""
    number = line(visit.form, "number", _LONGEST_NUMBER)
    if number is None:
        return visit.go("/numbers")
    if is_personal(number):
        return visit.go("/numbers", notice="personal_number")
    for kind, picture in (("customers", customer_picture), ("installations", installation_picture)):
        if not picture(visit.site.cache, number).is_empty:
            return visit.go(f"/{kind}/{quote(number, safe='')}")
    return visit.render("search.html", status=404, unknown=number)


def customer(visit: Visit) -> Response:
    """A customer number, masked."""
    return _shown(visit, customer_picture(visit.site.cache, _number(visit)), "customer")


def installation(visit: Visit) -> Response:
    """An installation number."""
    return _shown(visit, installation_picture(visit.site.cache, _number(visit)), "installation")


def unmasked(visit: Visit) -> Response:
    """A customer number with its personal numbers, for whoever has the role; the audit knows who and what for."""
    number = _number(visit)
    picture = customer_picture(visit.site.cache, number)
    purpose = line(visit.form, "purpose", _LONGEST_PURPOSE)
    if picture.is_empty:
        return visit.message(404, "no_number")
    if purpose is None:
        return _shown(visit, picture, "customer", status=400, refused=visit.language.t("privacy.no_purpose"))
    if is_personal(purpose):
        return _shown(visit, picture, "customer", status=400, refused=visit.language.t("notice.personal_number"))
    note_view(visit.site.cache, object_ids(visit.site.settings), number, purpose, visit.who.name)
    return _shown(visit, picture, "customer", open_numbers=True)


def _number(visit: Visit) -> str:
    """The number of the address; what nobody can have typed is no number."""
    return line(visit.request.path_params, "number", _LONGEST_NUMBER) or "-"


def _shown(
    visit: Visit,
    picture: Picture,
    kind: str,
    *,
    status: int = 200,
    refused: str | None = None,
    open_numbers: bool = False,
) -> Response:
    if picture.is_empty:
        return visit.message(404, "no_number")
    return visit.render(
        "number.html",
        status=status,
        kind=kind,
        picture=picture,
        shown=lambda value: _text(visit, value, masks=not open_numbers),
        open_numbers=open_numbers,
        refused=refused,
        address=visit.request.url.path,
        age=lambda moment: visit.language.age(visit.now - moment),
    )


def _text(visit: Visit, value: object, *, masks: bool) -> str:
    """A value as a person of the visit's language reads it."""
    if isinstance(value, date):
        return visit.language.moment(value)
    return masked(value) if masks else plain(value)
