"""`integration-assets web`: the operators' pages, over the cache that the settings name."""

from pathlib import Path

from integration_assets.cli.opened import REFUSED, opened_cache, refuse, settings_of


def serve_pages(*, host: str | None, port: int | None, dagit_url: str | None, data_dir: Path | None) -> None:
    """Runs until Ctrl-C or SIGTERM. Ends at once, with a sentence, where strangers could see the pages."""
    from integration_assets.web.access import UnsafeSetup, page_address, require_safe_setup

    named = {"web_host": host, "web_port": port, "dagit_url": dagit_url}
    settings = settings_of(data_dir).model_copy(
        update={name: value for name, value in named.items() if value is not None}
    )
    try:
        require_safe_setup(settings)
    except UnsafeSetup as error:
        refuse(str(error), REFUSED)
    # Only now what takes seconds to import.
    from integration_assets.resources.business_day import BusinessDay
    from integration_assets.web.serving import server
    from integration_assets.web.site import Site

    with opened_cache(settings) as cache:
        pages = server(Site(settings, cache, BusinessDay(fixed=settings.business_day or "").today))
        print(f"Pages: {page_address(settings)} (Ctrl-C ends them)", flush=True)
        pages.run()
