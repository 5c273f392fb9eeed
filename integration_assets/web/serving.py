"""Serving the pages with uvicorn."""

import logging

import uvicorn

from integration_assets.web.application import build
from integration_assets.web.site import Site

_log = logging.getLogger(__name__)


def server(site: Site) -> uvicorn.Server:
    """The server at the address of the settings, not started yet. Raises UnsafeSetup.

    It writes no access log: addresses hold customer numbers. Headers of a proxy are read by `access` alone, with the
    secret that shows whose they are.
    """
    return uvicorn.Server(
        uvicorn.Config(
            build(site),
            host=site.settings.web_host,
            port=site.settings.web_port,
            access_log=False,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            lifespan="off",
        )
    )
