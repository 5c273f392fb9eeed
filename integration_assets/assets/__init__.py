"""The assets: Dagster glue, thin. Each loads, calls a flow or the domain, and returns."""

import warnings

import dagster as dg

# `backfill_policy` is the way to run many partitions at once and still counts as beta; the warning says nothing new.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
