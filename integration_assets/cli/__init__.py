"""The command line: `integration-assets run | ui | sandbox | plan | addresses`."""

from integration_assets.cli.app import app

__all__ = ["app"]
