"""The command line: `integration-assets run | ui | sandbox | plan | addresses | keys | person | retention`."""

from integration_assets.cli.app import app

__all__ = ["app"]
