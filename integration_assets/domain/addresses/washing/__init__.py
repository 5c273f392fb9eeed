"""Washing: the one address of the register that a hand-typed Danish address text means, and why."""

from integration_assets.domain.addresses.washing.components import wash_components
from integration_assets.domain.addresses.washing.datavask import datavask_answer
from integration_assets.domain.addresses.washing.index import WashingIndex
from integration_assets.domain.addresses.washing.washed import RULE_VERSION, WASHED
from integration_assets.domain.addresses.washing.washer import wash

__all__ = ["RULE_VERSION", "WASHED", "WashingIndex", "datavask_answer", "wash", "wash_components"]
