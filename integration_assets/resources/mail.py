"""The mail server, where the settings name one."""

from datetime import UTC, datetime

from integration_assets.cache.store import Cache
from integration_assets.clients.smtp import PORTS, MailServer
from integration_assets.flows.mails import Posted, send_mails
from integration_assets.flows.supervision import Means
from integration_assets.resources.base import FromSettings
from integration_assets.settings import Settings


def mail_server(settings: Settings) -> MailServer | None:
    """The server that the settings name, None without a host or a sender: mails then stay in the outbox."""
    if settings.smtp_host is None or settings.mail_sender is None:
        return None
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port or PORTS[settings.smtp_security],
        security=settings.smtp_security,
        timeout_s=settings.smtp_timeout_seconds,
        user=settings.smtp_user,
        password=settings.need("smtp_password") if settings.smtp_user else None,
        ca=settings.smtp_ca,
    )


class MailResource(FromSettings):
    """Sends what waits in the outbox."""

    def means(self, cache: Cache) -> Means:
        """What supervision needs beside the folders."""
        return Means.of(self.settings, cache)

    def send(self, cache: Cache) -> Posted:
        """Sends what is due; nothing without a server. Raises MissingSetting where a user has no password."""
        server = mail_server(self.settings)
        if server is None:
            return Posted()
        return send_mails(cache.mails, server, self.settings.need("mail_sender"), lambda: datetime.now(UTC))
