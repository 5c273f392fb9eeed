"""Checks against documents that are not ours to keep: run by hand, with the folder that has them."""
