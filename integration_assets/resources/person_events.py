"""The person register's deliveries of events, where the settings name a source for them."""

from pathlib import Path

from pydantic import PrivateAttr

from integration_assets.domain.people.ports import PersonEvents
from integration_assets.resources.base import FromSettings
from integration_assets.settings import Settings


def open_person_events(settings: Settings) -> PersonEvents | None:
    """The source that the settings name, None without one. Does not connect yet.

    Raises MissingSetting where host, user or a key is missing, PermanentError where a key is none.
    """
    if settings.person_events_source == "none":
        return None
    # Loading the SSH library takes a fifth of a second, which an installation without events need not spend.
    from integration_assets.clients.event_files import Account, EventFiles

    return EventFiles(
        Account(
            host=settings.need("person_events_host"),
            user=settings.need("person_events_user"),
            key=Path(settings.need("person_events_key")),
            host_key=settings.need("person_events_host_key"),
            port=settings.person_events_port,
            folder=settings.person_events_folder,
        )
    )


class PersonEventsResource(FromSettings):
    """Opens the source of events once; it keeps what it learned of waiting files, but no connection."""

    _events: PersonEvents | None = PrivateAttr(default=None)

    def get(self) -> PersonEvents | None:
        """The source, or None where events are not configured. Raises as `open_person_events`."""
        if self._events is None:
            self._events = open_person_events(self.settings)
        return self._events
