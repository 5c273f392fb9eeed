"""The mapping to Dynamics CRM 365 that the settings put in force."""

import json

from integration_assets.domain.crm.tables import CrmMapping, Ending, MappingFault, changed
from integration_assets.settings import Settings


def mapping_in_force(settings: Settings) -> CrmMapping:
    """The standard mapping with the changes of the utility's own file, where there is one, and the ways of ending.

    Raises MappingFault where the file does not do: its sentences name everything that is wrong.
    """
    by = _mapping(settings)
    return by.with_accounts(settings.crm_accounts_table) if settings.crm_accounts_table else by


def _mapping(settings: Settings) -> CrmMapping:
    path = settings.crm_mapping_file
    endings: dict[str, Ending] = {**settings.crm_endings}
    if path is None:
        return CrmMapping(endings=endings)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingFault(f"The mapping file {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise MappingFault(f"The mapping file {path} is no JSON: {error}.") from None
    try:
        return changed(document, endings)
    except MappingFault as fault:
        raise MappingFault(f"The mapping file {path} does not do. {fault}") from None
